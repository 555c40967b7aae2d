/** The chart and the manifest that is made from it; `npx vitest run test/deploy -u` writes that. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parseFlanneldFlags } from "../../src/agent/flannel/flags.ts";
import { parseNetConf } from "../../src/control/flannel/net-conf.ts";
import { ROOT } from "../helpers/imports.ts";
import { chart, DEPLOY, type Manifest, manifest, objectsOf, rendered, schema, values } from "./chart.ts";
import { mistakes } from "./model.ts";
import { violations } from "./schema.ts";

const MANIFEST = `${DEPLOY}kubernetes/kube-poplin.yml`;

/** Values that somebody may give, so that each branch of the templates is taken. */
const GIVEN: Readonly<Record<string, Record<string, unknown>>> = {
  nothing: {},
  "a privileged container": { privileged: true },
  "no CNI plugin": { cni: { install: false } },
  "a health server for this node alone": { healthz: { ip: "127.0.0.1", port: 9000 } },
  "no more flags and annotations": { args: [], podAnnotations: {} },
  "everything else": {
    image: { repository: "registry.example/poplin", tag: "1.2.3" },
    imagePullSecrets: [{ name: "mine" }],
    env: [{ name: "POPLIN_QUEUES", value: "2" }],
    affinity: {
      nodeAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: {
          nodeSelectorTerms: [{ matchExpressions: [{ key: "poplin", operator: "In", values: ["yes"] }] }],
        },
      },
    },
    maxUnavailable: "10%",
  },
};

function daemonSet(over = {}): Manifest {
  return objectsOf(rendered("daemonset.yaml", over))[0];
}

it("kube-poplin.yml is a namespace, and the chart with its default values", async () => {
  const [head] = readFileSync(MANIFEST, "utf8").split(/^---$/m);
  expect(objectsOf(head!)).toMatchObject([{ kind: "Namespace", metadata: { name: "kube-poplin" } }]);
  await expect(head + manifest()).toMatchFileSnapshot(MANIFEST);
});

it("the chart has poplin's version", () => {
  const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { version: string };
  expect(chart).toMatchObject({ version, appVersion: version });
});

it("every value is explained, and known to the schema", () => {
  const lines = readFileSync(`${DEPLOY}helm/poplin/values.yaml`, "utf8").split("\n");
  const bare = lines.filter((line, i) => /^\w/.test(line) && !/^(#|$)/.test(lines[i - 1] ?? ""));
  expect(bare).toEqual([]);
  expect(violations(schema, values)).toEqual([]);
  expect(violations(schema, { ...values, healthz: { prot: 1 }, image: {}, privileged: "yes" })).toEqual([
    "values.image has no repository",
    "values.healthz has no prot",
    "values.privileged is no boolean",
  ]);
});

describe.each(Object.entries(GIVEN))("with %s", (_, over) => {
  it("the values fit their schema, and the objects Kubernetes' model", () => {
    expect(violations(schema, { ...values, ...over })).toEqual([]);
    for (const object of objectsOf(manifest(over))) expect(mistakes(object)).toEqual([]);
  });

  it("what is mounted, asked and selected is there", () => {
    const { spec } = daemonSet(over);
    const { volumes, initContainers = [], containers } = spec.template.spec;
    expect(spec.template.metadata.labels).toMatchObject(spec.selector.matchLabels);
    const mounted = [...initContainers, ...containers].flatMap(({ volumeMounts }) => volumeMounts);
    const names = (list: readonly { name: string }[]) => new Set(list.map(({ name }) => name));
    expect(names(mounted)).toEqual(names(volumes));
    const [{ ports, livenessProbe, readinessProbe }] = containers;
    for (const { httpGet } of [livenessProbe, readinessProbe]) expect(names(ports)).toContain(httpGet.port);
    for (const { image } of [...initContainers, ...containers])
      expect(image).toMatch(/^[\w./-]+:\d\.\d\.\d$/);
  });

  it("flanneld's flags are understood", () => {
    const [{ command, args }] = daemonSet(over).spec.template.spec.containers;
    expect(command).toEqual(["poplin", "flanneld"]);
    const { flags, problems } = parseFlanneldFlags(args, {});
    expect(problems).toEqual([]);
    const { port } = { port: 8081, ...(over.healthz as object) };
    expect(flags).toMatchObject({ "kube-subnet-mgr": true, "healthz-port": port });
  });
});

it("mistakes in objects are found", () => {
  const object = daemonSet();
  const { containers } = object.spec.template.spec;
  containers[0].securityContext.capabilites = {};
  containers[0].livenessProbe.periodSeconds = "10";
  delete object.spec.selector;
  expect(mistakes(object)).toEqual([
    "DaemonSet.spec has no selector",
    expect.stringContaining('periodSeconds is no number: "10"'),
    expect.stringContaining("has no field capabilites (V1SecurityContext)"),
  ]);
});

describe("the defaults", () => {
  const { spec } = daemonSet().spec.template;
  const [container] = spec.containers;

  it("are a network that poplin takes, and CNI plugins of flannel's", () => {
    const { data } = objectsOf(rendered("config.yaml"))[0];
    const { conf, problems, warnings } = parseNetConf(data["net-conf.json"], "assigned");
    expect([problems, warnings]).toEqual([[], []]);
    expect(conf?.backend).toMatchObject({ vni: 1, port: 8472 });
    const { name, plugins } = JSON.parse(data["cni-conf.json"]);
    expect(name).toBe("cbr0");
    expect(plugins.map(({ type }: { type: string }) => type)).toEqual(["flannel", "portmap"]);
  });

  it("mount what poplin reads and writes where it looks for it", () => {
    const { flags } = parseFlanneldFlags(container.args, {});
    const paths = container.volumeMounts.map(({ mountPath }: { mountPath: string }) => mountPath);
    for (const file of [flags["net-config-path"], flags["subnet-file"], "/run/poplin/agent.sock"]) {
      expect(paths).toContain(file.slice(0, file.lastIndexOf("/")));
    }
    expect(paths).toEqual(expect.arrayContaining(["/dev/net/tun", "/run/xtables.lock"]));
  });

  it("take no right but the two that an agent needs", () => {
    expect(container.securityContext).toMatchObject({
      privileged: false,
      allowPrivilegeEscalation: false,
      capabilities: { drop: ["ALL"], add: ["NET_ADMIN", "NET_RAW"] },
    });
    expect(spec).not.toHaveProperty("hostPID");
    expect(spec.hostNetwork).toBe(true);
  });
});
