/** Everybody's leases, as nodes' annotations come, change and go. */
import { afterEach, beforeEach, expect, it } from "vitest";
import type { NodeLease } from "../../../src/control/flannel/node-lease.ts";
import { attributesOf, subnetsOf } from "../../contract/store-world.ts";
import { describeWith, tool } from "../../helpers/needs.ts";
import { until } from "../../helpers/until.ts";
import { flannelsAnnotations, prefixed } from "./stage.ts";
import { WatchedStage } from "./watched-stage.ts";

let stage: WatchedStage;

beforeEach(async () => {
  stage = await new WatchedStage().started();
});

afterEach(() => stage.close());

describeWith([tool("openssl")], "leases of nodes", () => {
  it("come with flannel's annotation, change, and go with it or with the node", async () => {
    const heard = await stage.watching();
    const [one, two] = [await stage.lease(1), await stage.lease(2)];
    stage.server.objects.put("bare", ["10.244.9.0/24"]);
    await heard.has(one, two);
    stage.server.objects.annotate(one.key, prefixed({ "public-ip": "192.0.2.88" }));
    const moved = { ...one, attributes: { ...one.attributes, publicIp: "192.0.2.88" } };
    await heard.has(moved, two);
    stage.server.objects.annotate(one.key, { "flannel.alpha.coreos.com/kube-subnet-manager": null });
    await heard.has(two);
    stage.server.objects.delete(two.key);
    await heard.has();
    expect([heard.kinds(one.key), heard.kinds(two.key), heard.kinds("bare")]).toEqual([
      ["added", "changed", "removed"],
      ["added", "removed"],
      [],
    ]);
  });

  it("say nothing where a node's status changes, as kubelets do it all the time", async () => {
    const heard = await stage.watching();
    const lease = await stage.lease(1);
    for (let n = 0; n < 5; n++) {
      stage.server.objects.patch(lease.key, {
        status: { conditions: [{ type: "Ready", lastHeartbeatTime: `${n}` }] },
      });
    }
    const last = await stage.lease(2);
    await heard.has(lease, last);
    expect(heard.changes).toHaveLength(2);
  });

  it("change with their podCIDR, which flannel does not notice", async () => {
    const lease = await stage.lease(1);
    const heard = await stage.watching();
    stage.server.objects.put(lease.key, ["10.244.201.0/24"], flannelsAnnotations(lease.attributes));
    await heard.has({ ...lease, subnets: { ipv4: "10.244.201.0/24", ipv6: null } });
    expect(heard.kinds(lease.key)).toEqual(["added", "changed"]);
  });

  it("can be a load balancer's, which has written its annotations by hand", async () => {
    const written = { "kube-subnet-manager": "true", "backend-type": "vxlan", "public-ip": "192.0.2.200" };
    const data = (text: string) => prefixed({ ...written, "backend-data": text });
    stage.server.objects.put("bigip-1", ["10.244.20.0/24"], data('{"VtepMAC":"02:11:22:33:44:55"}'));
    stage.server.objects.put(
      "bigip-2",
      ["10.244.21.0/24"],
      data('{"VNI": 1, "VtepMAC": "02:11:22:33:44:56"}'),
    );
    const heard = await stage.watching();
    expect([...heard.leases.values()].map(({ attributes }) => attributes.backendData)).toEqual([
      { VtepMAC: "02:11:22:33:44:55" },
      { VNI: 1, VtepMAC: "02:11:22:33:44:56" },
    ]);
  });

  it("are told as bad one by one, and the others work", async () => {
    stage.server.objects.put("huge", ["10.244.20.0/24"], {
      ...flannelsAnnotations(attributesOf(20)),
      "flannel.alpha.coreos.com/backend-data": "x".repeat(2 ** 20),
    });
    await stage.spoil("broken", subnetsOf(21));
    const good = await stage.lease(1);
    const heard = await stage.watching();
    await heard.has(good);
    expect(Object.fromEntries(heard.badNow)).toEqual({
      broken: "its annotation backend-data is no JSON: {VNI: 1",
      huge: "its annotation backend-data has 1048576 characters, and should have less than a hundred",
    });
  });

  it("of more than a page are told at once", async () => {
    const leases: NodeLease[] = [];
    for (let n = 0; n < 1101; n++) {
      const [subnets, key] = [{ ipv4: `10.${n >> 8}.${n & 255}.0/24`, ipv6: null }, `node-${n}`];
      await stage.put(key, subnets, attributesOf(1));
      leases.push({ key, subnets, attributes: attributesOf(1) });
    }
    const heard = await stage.watching();
    await heard.has(...leases);
    expect([heard.calls, stage.server.requests("list").map(({ query }) => query.get("limit"))]).toEqual([
      1,
      ["500", "500", "500"],
    ]);
  });

  it("that are forgotten between two pages are listed from the start", async () => {
    for (let n = 0; n < 501; n++) stage.server.objects.put(`n-${n}`, []);
    const lease = await stage.lease(1);
    stage.server.slow = 300;
    const heard = stage.watch();
    await until("the second page is asked for", () => stage.server.requests("list").length === 2);
    stage.server.objects.compact();
    stage.server.slow = 0;
    await heard.has(lease);
    expect([stage.server.requests("list").length, heard.calls, heard.troubles]).toEqual([4, 1, []]);
  });
});
