import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type LeaseChange, LeaseMirror } from "../../../src/control/flannel/mirror.ts";
import type { NodeLease } from "../../../src/control/flannel/node-lease.ts";
import { leaseOf } from "./samples.ts";

const SEED = 1788;

function told(changes: readonly (LeaseChange | null)[]): string[] {
  return changes.map((change) => (change === null ? "nothing" : `${change.kind} ${change.lease.key}`));
}

describe("LeaseMirror", () => {
  it("tells of each difference once", () => {
    const mirror = new LeaseMirror();
    const moved = leaseOf(1, { publicIp: "172.19.9.9" });
    expect(
      told([
        mirror.set(leaseOf(1)),
        mirror.set(leaseOf(1)),
        mirror.set(moved),
        mirror.set(structuredClone(moved)),
        mirror.delete(moved.key),
        mirror.delete(moved.key),
      ]),
    ).toEqual([
      "added node-00001",
      "nothing",
      "changed node-00001",
      "nothing",
      "removed node-00001",
      "nothing",
    ]);
  });

  it("tells of a lease as it is now, and of one that is gone as it was", () => {
    const mirror = new LeaseMirror();
    const moved = leaseOf(1, { publicIp: "172.19.9.9" });
    mirror.set(leaseOf(1));
    expect(mirror.set(moved)!.lease).toBe(moved);
    expect(mirror.delete("node-00001")!.lease).toBe(moved);
  });

  it("sees a MAC, an address, a backend or a subnet that changed, in a whole listing, too", () => {
    const mirror = new LeaseMirror();
    mirror.replaceAll([1, 2, 3, 4, 5].map((n) => leaseOf(n)));
    const changes = mirror.replaceAll([
      leaseOf(1, { backendData: { VNI: 1, VtepMAC: "0e:2a:00:00:00:99" } }),
      leaseOf(2, { publicIpv6: "fd00::99" }),
      leaseOf(3, { backendType: "host-gw" }),
      { ...leaseOf(4), subnets: { ipv4: "10.0.99.0/24", ipv6: null } },
      leaseOf(5),
    ]);
    expect(told(changes)).toEqual([1, 2, 3, 4].map((n) => `changed node-0000${n}`));
  });

  it("tells first what is gone, then the rest by key, whatever the order of the listing", () => {
    const mirror = new LeaseMirror();
    mirror.replaceAll([leaseOf(7), leaseOf(8)]);
    const changes = mirror.replaceAll([leaseOf(9), leaseOf(8, { publicIp: "172.19.9.9" }), leaseOf(2)]);
    expect(told(changes)).toEqual([
      "removed node-00007",
      "added node-00002",
      "changed node-00008",
      "added node-00009",
    ]);
  });

  it("keeps the order in which they came: a change moves nobody", () => {
    const mirror = new LeaseMirror();
    mirror.set(leaseOf(3));
    mirror.set(leaseOf(1));
    mirror.set(leaseOf(3, { publicIp: "172.19.9.9" }));
    mirror.replaceAll([leaseOf(1), leaseOf(2), leaseOf(3)]);
    expect([...mirror.leases.keys()]).toEqual(["node-00003", "node-00001", "node-00002"]);
  });

  it("whoever follows the changes has what it has", () => {
    const lease = fc
      .tuple(fc.nat(6), fc.nat(2))
      .map(([n, version]): NodeLease => leaseOf(n, { publicIp: `172.19.9.${version}` }));
    const step = fc.oneof(
      lease.map((one) => (mirror: LeaseMirror) => [mirror.set(one)]),
      lease.map(({ key }) => (mirror: LeaseMirror) => [mirror.delete(key)]),
      fc.array(lease, { maxLength: 8 }).map((all) => (mirror: LeaseMirror) => mirror.replaceAll(all)),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
        const mirror = new LeaseMirror();
        const followed = new Map<string, NodeLease>();
        for (const run of steps) {
          for (const change of run(mirror)) {
            if (change === null) continue;
            const { kind, lease } = change;
            expect(followed.has(lease.key)).toBe(kind !== "added");
            if (kind === "removed") followed.delete(lease.key);
            else {
              expect(followed.get(lease.key)).not.toEqual(lease);
              followed.set(lease.key, lease);
            }
          }
          expect([...followed]).toEqual([...mirror.leases]);
        }
      }),
      { seed: SEED, numRuns: 300 },
    );
  });
});
