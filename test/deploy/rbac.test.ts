/** The account of the DaemonSet may do what a node asks of the API server, and nothing that it does not ask. */
import { expect, it } from "vitest";
import { vxlanData } from "../../src/control/flannel/node-lease.ts";
import { Heard } from "../contract/heard.ts";
import { confOf } from "../contract/store-world.ts";
import { describeWith, tool } from "../helpers/needs.ts";
import { until } from "../helpers/until.ts";
import type { Seen } from "../stores/kubernetes/api-server.ts";
import { KubernetesStage } from "../stores/kubernetes/stage.ts";
import { type Manifest, objectsOf, rendered } from "./chart.ts";

const CONF = confOf('{"Network": "10.244.0.0/16", "Backend": {"Type": "vxlan"}}', "assigned");

/** In RBAC's words, "patch nodes/status". */
function right({ verb, path }: Seen): string {
  const [, group, resource, , subresource] = /^\/api\/v1()\/(\w+)(\/[^/]+)?(?:\/(\w+))?$/.exec(path) ?? [];
  expect(group).toBe("");
  return `${verb} ${subresource === undefined ? resource : `${resource}/${subresource}`}`;
}

function granted(): string[] {
  const role = objectsOf(rendered("account.yaml")).find(({ kind }) => kind === "ClusterRole");
  return role.rules.flatMap(({ apiGroups, resources, verbs }: Manifest) => {
    expect(apiGroups).toEqual([""]);
    return resources.flatMap((resource: string) => verbs.map((verb: string) => `${verb} ${resource}`));
  });
}

describeWith([tool("openssl")], "the ClusterRole", () => {
  it("is what the life of a node asks for", async () => {
    const stage = await new KubernetesStage().started();
    try {
      stage.register(1);
      const store = stage.store("node-1");
      await store.readHints();
      const backendData = vxlanData(1, "c6:d2:32:6f:8f:44");
      const attributes = {
        publicIp: "192.168.64.3",
        publicIpv6: null,
        backendType: "vxlan",
        backendData,
        backendV6Data: null,
      };
      await store.acquire({ conf: CONF, attributes, previous: null });
      store.watch(new Heard());
      store.keep(
        () => {},
        () => {},
      );
      await store.announce();
      await until("a watch", () => stage.server.watches === 1);
      // Somebody takes the annotations away: they are put back.
      const before = stage.server.requests("patch").length;
      stage.register(1);
      await until("annotations put back", () => stage.server.requests("patch").length > before);
      await store.release();
      expect([...new Set(stage.server.seen.map(right))].sort()).toEqual(granted().sort());
    } finally {
      await stage.close();
    }
  });

  it("is bound to the account that the pods have", () => {
    const objects = objectsOf(rendered("account.yaml"));
    const [account, role, binding] = objects;
    const { name, namespace } = account.metadata;
    expect(binding.roleRef.name).toBe(role.metadata.name);
    expect(binding.subjects).toEqual([{ kind: "ServiceAccount", name, namespace }]);
    const [daemonSet] = objectsOf(rendered("daemonset.yaml"));
    expect(daemonSet.spec.template.spec.serviceAccountName).toBe(name);
    expect(daemonSet.metadata.namespace).toBe(namespace);
  });
});
