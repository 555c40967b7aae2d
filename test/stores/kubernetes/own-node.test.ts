/** What is written into this node's object, and that it stays. */
import { afterEach, beforeEach, expect, it } from "vitest";
import type { NetConf } from "../../../src/control/flannel/net-conf.ts";
import { type LeaseAttributes, vxlanData } from "../../../src/control/flannel/node-lease.ts";
import type { KubernetesStore } from "../../../src/stores/kubernetes/store.ts";
import { LeaseLost, StoreError } from "../../../src/stores/store.ts";
import { attributesOf, confOf } from "../../contract/store-world.ts";
import { describeWith, tool } from "../../helpers/needs.ts";
import { until } from "../../helpers/until.ts";
import { KubernetesStage, prefixed } from "./stage.ts";

const CONF = confOf('{"Network": "10.244.0.0/16", "Backend": {"Type": "vxlan"}}', "assigned");
const DUAL = confOf(
  '{"Network": "10.244.0.0/16", "EnableIPv6": true, "IPv6Network": "fd00:10:244::/48", "Backend": {"Type": "vxlan"}}',
  "assigned",
);
const ATTRIBUTES: LeaseAttributes = {
  publicIp: "192.168.64.3",
  publicIpv6: null,
  backendType: "vxlan",
  backendData: vxlanData(1, "c6:d2:32:6f:8f:44"),
  backendV6Data: null,
};
const SAID = {
  "flannel.alpha.coreos.com/backend-data": '{"VNI":1,"VtepMAC":"c6:d2:32:6f:8f:44"}',
  "flannel.alpha.coreos.com/backend-type": "vxlan",
  "flannel.alpha.coreos.com/kube-subnet-manager": "true",
  "flannel.alpha.coreos.com/public-ip": "192.168.64.3",
};

let stage: KubernetesStage;

beforeEach(async () => {
  stage = await new KubernetesStage().started();
});

afterEach(() => stage.close());

function acquire(store: KubernetesStore, attributes = ATTRIBUTES, conf: NetConf = CONF) {
  return store.acquire({ conf, attributes, previous: null });
}

async function failure(of: Promise<unknown>): Promise<StoreError> {
  const error = await of.then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(StoreError);
  return error as StoreError;
}

function annotationsOf(name: string): Record<string, string> {
  return stage.server.objects.nodes.get(name)?.metadata.annotations ?? {};
}

describeWith([tool("openssl")], "acquire", () => {
  it("writes flannel's annotations through the node's status, and leaves the others", async () => {
    stage.server.objects.put("node-1", ["10.244.1.0/24"], { "example.org/mine": "1" });
    const lease = await acquire(stage.store("node-1"));
    expect(lease).toEqual({
      key: "node-1",
      subnets: { ipv4: "10.244.1.0/24", ipv6: null },
      attributes: ATTRIBUTES,
    });
    expect(annotationsOf("node-1")).toEqual({ "example.org/mine": "1", ...SAID });
    const [patch] = stage.server.requests("patch");
    expect(patch?.path).toBe("/api/v1/nodes/node-1/status");
    expect(patch?.headers["content-type"]).toBe("application/strategic-merge-patch+json");
  });

  it("writes nothing where all is said already: a restart is not seen by the others", async () => {
    stage.server.objects.put("node-1", ["10.244.1.0/24"], SAID);
    await acquire(stage.store("node-1"));
    expect(stage.server.requests("patch")).toEqual([]);
  });

  it("finds the MAC that the node had before", async () => {
    stage.server.objects.put("node-1", ["10.244.1.0/24"], SAID);
    const { lease: own } = await stage.store("node-1").readHints();
    expect(own?.attributes.backendData).toEqual({ VNI: 1, VtepMAC: "c6:d2:32:6f:8f:44" });
    stage.register(2);
    expect((await stage.store("node-2").readHints()).lease).toBe(null);
    expect((await stage.store("node-3").readHints()).lease).toBe(null);
  });

  it("publishes an overwritten address, and takes an administrator's as a hint", async () => {
    const written = prefixed({ "public-ip-overwrite": "203.0.113.9", "node-public-ip": "192.0.2.7" });
    stage.server.objects.put("node-1", ["10.244.1.0/24"], written);
    const store = stage.store("node-1");
    expect(await store.readHints()).toMatchObject({ publicIp: "192.0.2.7", publicIpv6: null });
    expect((await acquire(store)).attributes.publicIp).toBe("203.0.113.9");
    expect(annotationsOf("node-1")).toEqual({
      ...SAID,
      ...written,
      "flannel.alpha.coreos.com/public-ip": "203.0.113.9",
    });
  });

  it("publishes both families", async () => {
    stage.register(1, true);
    await acquire(stage.store("node-1"), attributesOf(1, true), DUAL);
    expect(annotationsOf("node-1")).toEqual({
      "flannel.alpha.coreos.com/backend-data": '{"VNI":1,"VtepMAC":"0a:00:00:00:04:01"}',
      "flannel.alpha.coreos.com/backend-type": "vxlan",
      "flannel.alpha.coreos.com/backend-v6-data": '{"VNI":1,"VtepMAC":"0a:00:00:00:06:01"}',
      "flannel.alpha.coreos.com/kube-subnet-manager": "true",
      "flannel.alpha.coreos.com/public-ip": "192.0.2.1",
      "flannel.alpha.coreos.com/public-ipv6": "2001:db8::1",
    });
  });

  it("publishes IPv6 alone where IPv4 is off, and takes back what it said of it", async () => {
    stage.server.objects.put("node-1", ["10.244.1.0/24", "fd00:10:244:1::/64"], SAID);
    const conf = confOf(
      '{"EnableIPv4": false, "EnableIPv6": true, "IPv6Network": "fd00:10:244::/48", "Backend": {"Type": "vxlan"}}',
      "assigned",
    );
    const attributes = { ...attributesOf(1, true), publicIp: null, backendData: null };
    const lease = await acquire(stage.store("node-1"), attributes, conf);
    expect(lease).toEqual({ key: "node-1", subnets: { ipv4: null, ipv6: "fd00:10:244:1::/64" }, attributes });
    expect(annotationsOf("node-1")).toEqual({
      "flannel.alpha.coreos.com/backend-type": "vxlan",
      "flannel.alpha.coreos.com/backend-v6-data": '{"VNI":1,"VtepMAC":"0a:00:00:00:06:01"}',
      "flannel.alpha.coreos.com/kube-subnet-manager": "true",
      "flannel.alpha.coreos.com/public-ipv6": "2001:db8::1",
    });
  });

  it("has a prefix of its own, for a second network", async () => {
    stage.register(1);
    await acquire(stage.store("node-1", { annotationPrefix: "example.org/second" }));
    expect(annotationsOf("node-1")["example.org/second-public-ip"]).toBe("192.168.64.3");
  });

  it("waits for a node that is not there yet", async () => {
    const store = stage.store("node-1", { times: { retryFor: 20_000 } });
    const acquired = acquire(store);
    await until("it has asked twice", () => stage.server.requests("get").length > 1);
    stage.register(1);
    expect((await acquired).subnets.ipv4).toBe("10.244.1.0/24");
  });

  it("says so when the node does not come", async () => {
    const error = await failure(acquire(stage.store("node-7")));
    expect([error.code, error.passing]).toEqual(["STORE_NO_NODE", true]);
    expect(error.message).toBe("Kubernetes has no node node-7");
    expect(error.remedy).toMatch(/is NODE_NAME right/);
  });

  it("says so when there is no podCIDR yet", async () => {
    stage.server.objects.put("node-1", []);
    const error = await failure(acquire(stage.store("node-1")));
    expect([error.code, error.passing]).toEqual(["STORE_NO_SUBNET", true]);
    expect(error.message).toBe("the node node-1 has no podCIDR of IPv4: nobody has assigned one yet");
    expect(error.remedy).toMatch(/--allocate-node-cidrs .* --pod-network-cidr=/);
  });

  it("says so when the podCIDR is not in the network, and writes nothing", async () => {
    stage.server.objects.put("node-1", ["10.42.1.0/24"]);
    const error = await failure(acquire(stage.store("node-1")));
    expect([error.code, error.passing]).toEqual(["STORE_BAD_CONFIG", false]);
    expect(error.message).toBe("the podCIDR 10.42.1.0/24 of node node-1 is not in the network 10.244.0.0/16");
    expect(annotationsOf("node-1")).toEqual({});
  });

  it.each([409, 429, 500, 503])("tries again after a %i", async (status) => {
    stage.register(1);
    stage.server.faults.push({ verb: "patch", status, times: 2 });
    await acquire(stage.store("node-1", { times: { retryFor: 20_000 } }));
    expect(stage.server.requests("patch")).toHaveLength(3);
    expect(annotationsOf("node-1")).toEqual(SAID);
  });

  it("does not try again what is forbidden, and says what is missing", async () => {
    stage.register(1);
    stage.server.faults.push({ verb: "patch", status: 403 });
    const error = await failure(acquire(stage.store("node-1", { times: { retryFor: 20_000 } })));
    expect(stage.server.requests("patch")).toHaveLength(1);
    expect(error.remedy).toMatch(/^the verb "patch" on "nodes\/status" is missing/);
  });

  it("waits as long as the server asks for", async () => {
    stage.register(1);
    stage.server.faults.push({ verb: "patch", status: 429, headers: { "retry-after": "1" }, times: 1 });
    const start = performance.now();
    await acquire(stage.store("node-1", { times: { retryFor: 20_000 } }));
    expect(performance.now() - start).toBeGreaterThan(990);
  });
});

describeWith([tool("openssl")], "announce", () => {
  it("sets the node's condition as flannel does, and no other", async () => {
    stage.register(1);
    stage.server.objects.patch("node-1", { status: { conditions: [{ type: "Ready", status: "True" }] } });
    const store = stage.store("node-1");
    await store.announce();
    expect(stage.server.objects.nodes.get("node-1")?.status.conditions).toEqual([
      { type: "Ready", status: "True" },
      {
        type: "NetworkUnavailable",
        status: "False",
        reason: "FlannelIsUp",
        message: "Flannel is running on this node",
        lastTransitionTime: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
        lastHeartbeatTime: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
      },
    ]);
  });

  it("says nothing where that is switched off", async () => {
    await stage.store("node-1", { setNetworkUnavailable: false }).announce();
    expect(stage.server.seen).toEqual([]);
  });
});

describeWith([tool("openssl")], "release", () => {
  it("takes our annotations away, and nobody else's", async () => {
    stage.server.objects.put("node-1", ["10.244.1.0/24"], { "example.org/mine": "1" });
    const store = stage.store("node-1");
    await acquire(store);
    await store.release();
    expect(annotationsOf("node-1")).toEqual({ "example.org/mine": "1" });
  });

  it("is done where the node is gone", async () => {
    await stage.store("node-1").release();
  });
});

describeWith([tool("openssl")], "keep", () => {
  let said: string[];
  let lost: LeaseLost[];
  let store: KubernetesStore;

  beforeEach(async () => {
    said = [];
    lost = [];
    stage.register(1);
    store = stage.store("node-1");
    await acquire(store);
    store.keep(
      (error) => lost.push(error),
      (line) => said.push(line),
    );
    await until("our node is watched", () => stage.server.watches > 0);
  });

  const isBack = () => JSON.stringify(sorted(annotationsOf("node-1"))) === JSON.stringify(sorted(SAID));

  it("puts back what somebody changed, removed, or made too long", async () => {
    stage.server.objects.annotate("node-1", prefixed({ "public-ip": "192.0.2.66" }));
    await until("it is put back", isBack);
    await until("it is said", () => said.length === 1);
    stage.server.objects.annotate("node-1", Object.fromEntries(Object.keys(SAID).map((key) => [key, null])));
    await until("it is put back", isBack);
    await until("it is said", () => said.length === 2);
    stage.server.objects.annotate("node-1", prefixed({ "backend-data": "x".repeat(10_000) }));
    await until("it is put back", isBack);
    await until("it is said", () => said.length === 3);
    expect(said).toEqual([
      "node node-1: somebody changed or removed them; written again: public-ip",
      "node node-1: somebody changed or removed them; written again: backend-type, backend-data, public-ip, kube-subnet-manager",
      "node node-1: somebody changed or removed them; written again: backend-data",
    ]);
    expect(lost).toEqual([]);
  });

  it("follows an overwritten address while it runs", async () => {
    stage.server.objects.annotate("node-1", prefixed({ "public-ip-overwrite": "203.0.113.9" }));
    await until(
      "it is published",
      () => annotationsOf("node-1")["flannel.alpha.coreos.com/public-ip"] === "203.0.113.9",
    );
  });

  it("says a nonsensical overwrite once, and publishes what it did", async () => {
    stage.server.objects.annotate("node-1", prefixed({ "public-ip-overwrite": "nowhere" }));
    await until("it is said", () => said.length > 0);
    stage.server.objects.annotate("node-1", { "example.org/mine": "1" });
    stage.server.objects.annotate("node-1", {
      "example.org/mine": null,
      ...prefixed({ "public-ip-overwrite": "" }),
    });
    stage.server.objects.annotate("node-1", prefixed({ "public-ip": "192.0.2.66" }));
    await until("it is put back", () => said.length > 1);
    expect(said[0]).toMatch(/public-ip-overwrite is "nowhere", and no IPv4 address$/);
    expect(said).toHaveLength(2);
  });

  it("writes again when the node was deleted and has come back, with its podCIDR a moment later", async () => {
    stage.server.objects.delete("node-1");
    await until("it is said", () => said.length === 1);
    stage.server.objects.put("node-1", []);
    await until("it is said", () => said.length === 2);
    stage.register(1);
    await until("it is written again", isBack);
    await until("it is said", () => said.length === 3);
    expect(said).toEqual([
      "the node node-1 was deleted from Kubernetes: others drop us until it is back",
      "the node node-1 has no podCIDR at this moment",
      "node node-1: it is back; written again: backend-type, backend-data, public-ip, kube-subnet-manager",
    ]);
    expect(lost).toEqual([]);
  });

  it("has lost the lease when the node comes back with another podCIDR, and says it once", async () => {
    stage.server.objects.delete("node-1");
    stage.server.objects.put("node-1", ["10.244.77.0/24"]);
    await until("it is lost", () => lost.length > 0);
    expect(lost[0]).toBeInstanceOf(LeaseLost);
    expect(lost[0]?.message).toBe(
      "the podCIDR of node node-1 is 10.244.77.0/24 now, and was 10.244.1.0/24: pods need addresses of the new one; restart",
    );
    stage.server.objects.put("node-1", ["10.244.78.0/24"]);
    await until("the watch goes on", () => stage.server.requests("watch").length > 0);
    expect(annotationsOf("node-1")).toEqual({});
    expect(lost).toHaveLength(1);
  });

  it("tries again while it cannot write, and says so once", async () => {
    stage.server.faults.push({ verb: "patch", status: 403, times: 3 });
    stage.server.objects.annotate("node-1", prefixed({ "public-ip": "192.0.2.66" }));
    await until("it is put back", isBack);
    await until("it is said", () => said.length === 2);
    expect(said[0]).toMatch(
      /^our annotations could not be written again: .* refused to patch nodes\/status node-1/,
    );
  });

  it("begins although the API server is down, and says who we are only later", async () => {
    await acquire(stage.store("node-1"));
    stage.server.objects.pods.set("kube-flannel/pod", "node-1");
    const env = {
      POD_NAME: "pod",
      POD_NAMESPACE: "kube-flannel",
      KUBERNETES_SERVICE_HOST: "127.0.0.1",
      KUBERNETES_SERVICE_PORT: String(stage.server.port),
    };
    await stage.server.stop();
    const late = stage.store("", { env });
    const lines: string[] = [];
    late.keep(
      (error) => lost.push(error),
      (line) => lines.push(line),
    );
    await failure(acquire(late));
    await stage.server.start();
    await until("the lease is had", () => acquire(late).then(Boolean, () => false));
    await store.close();
    stage.server.objects.annotate("node-1", prefixed({ "public-ip": "192.0.2.66" }));
    await until("it is put back", isBack);
    await until("it is said", () => lines.length > 0);
  });

  it("does not put back what this node itself changes", async () => {
    stage.server.slowPatch = 300;
    await acquire(store, { ...ATTRIBUTES, publicIp: "192.168.64.4" });
    await acquire(store, ATTRIBUTES);
    expect(stage.server.requests("patch")).toHaveLength(3);
    await store.release();
    stage.server.objects.put("node-1", ["10.244.99.0/24"], {});
    const seen = stage.server.seen.length;
    stage.server.endWatches();
    await until("it goes on", () => stage.server.seen.length > seen && stage.server.watches > 0);
    expect([said, lost, annotationsOf("node-1")]).toEqual([[], [], {}]);
  });
});

function sorted(record: Record<string, string>): [string, string][] {
  return Object.entries(record).sort();
}
