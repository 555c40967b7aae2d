import { describe, expect, it } from "vitest";
import { Roster } from "../../../src/agent/flannel/roster.ts";
import { Log } from "../../../src/agent/log.ts";
import { parseCidr } from "../../../src/control/address.ts";
import type { NodeLease } from "../../../src/control/flannel/node-lease.ts";
import type { Ours } from "../../../src/control/flannel/peers.ts";

const OURS: Ours = {
  family: 4,
  conf: { network: parseCidr("10.244.0.0/16"), pool: null },
  vni: 1,
  port: 8472,
  key: "10.244.1.0-24",
  subnet: "10.244.1.0/24",
  publicIp: "172.19.0.1",
  vtepMac: "02:00:00:00:00:01",
};

function lease(n: number, data: unknown = { VNI: 1, VtepMAC: mac(n) }): NodeLease {
  return {
    key: `10.244.${n}.0-24`,
    subnets: { ipv4: `10.244.${n}.0/24`, ipv6: null },
    attributes: {
      ...{ publicIp: `172.19.0.${n}`, publicIpv6: null, backendType: "vxlan" },
      ...{ backendData: data, backendV6Data: null },
    },
  };
}

function mac(n: number): string {
  return `02:00:00:00:00:0${n}`;
}

function make() {
  const lines: string[] = [];
  let news = 0;
  const log = new Log("info", (line) => lines.push(line.replace(/^\S+ /, "").trimEnd()));
  const roster = new Roster(log, () => news++);
  const said = (): string[] => lines.splice(0);
  return { roster, said, news: () => news };
}

describe("the leases that a node has heard of", () => {
  it("become peers, but for its own; each change is news, and a line in the log", () => {
    const { roster, said, news } = make();
    roster.changed([1, 2].map((n) => ({ kind: "added", lease: lease(n) })));
    expect(said()).toEqual(["info  leases in the store: 2"]);
    expect(roster.peers(OURS).map(({ publicIp }) => publicIp)).toEqual(["172.19.0.2"]);
    roster.changed([{ kind: "added", lease: lease(3) }]);
    roster.changed([{ kind: "changed", lease: lease(3, { VNI: 1, VtepMAC: mac(9) }) }]);
    roster.changed([{ kind: "removed", lease: lease(2) }]);
    expect(said()).toEqual([
      "info  node 10.244.3.0-24 joined: 10.244.3.0/24 at 172.19.0.3, 02:00:00:00:00:03",
      "info  node 10.244.3.0-24 changed: 10.244.3.0/24 at 172.19.0.3, 02:00:00:00:00:09",
      "info  node 10.244.2.0-24 is gone, and with it 10.244.2.0/24",
    ]);
    expect(news()).toBe(4);
    expect(roster.peers(OURS).map(({ vtepMac }) => vtepMac)).toEqual([mac(9)]);
  });

  it("a crowd of changes is told as a number", () => {
    const { roster, said } = make();
    roster.changed([]);
    roster.changed(Array.from({ length: 50 }, (_, i) => ({ kind: "added", lease: lease(i + 2) })));
    expect(said()).toEqual(["info  leases in the store: 0", "info  leases: 50 new, 0 changed, 0 gone"]);
  });

  it("one that makes no peer is told once with its reason, and when it is well again", () => {
    const { roster, said } = make();
    roster.changed([{ kind: "added", lease: lease(2, { VNI: 1, VtepMAC: "nonsense" }) }]);
    said();
    for (let i = 0; i < 3; i++) expect(roster.peers(OURS)).toEqual([]);
    expect(said()).toEqual([expect.stringMatching(/^warn {2}10\.244\.2\.0-24 is left out: .*nonsense/)]);
    expect(roster.status(OURS.key)[0]!.problem).toMatch(/nonsense/);
    roster.changed([{ kind: "changed", lease: lease(2) }]);
    expect(roster.peers(OURS)).toHaveLength(1);
    expect(said().at(-1)).toBe("info  10.244.2.0-24: it can be followed now");
    expect(roster.status(OURS.key)[0]!.problem).toBeNull();
  });

  it("an entry that is no lease is among them, with what is wrong", () => {
    const { roster, said } = make();
    roster.changed([{ kind: "added", lease: lease(1) }]);
    roster.bad("readme.txt", "its name names no subnet");
    expect(roster.status(OURS.key)).toEqual([
      expect.objectContaining({ key: OURS.key, own: true, problem: null }),
      expect.objectContaining({
        key: "readme.txt",
        own: false,
        since: null,
        problem: "its name names no subnet",
      }),
    ]);
    roster.bad("readme.txt", null);
    expect(roster.status(OURS.key)).toHaveLength(1);
    expect(said().slice(1)).toEqual([
      "warn  readme.txt is left out: its name names no subnet",
      "info  readme.txt: it is a lease now",
    ]);
  });

  it("stay while the store is not heard, which is said once each time", () => {
    const { roster, said } = make();
    roster.changed([{ kind: "added", lease: lease(2) }]);
    said();
    roster.heard("connection refused");
    expect(roster.trouble).toBe("connection refused");
    expect(roster.peers(OURS)).toHaveLength(1);
    roster.heard(null);
    expect(said()).toEqual([
      "warn  the store is not heard, what is known stays in force: connection refused",
      "info  the store is heard again",
    ]);
  });

  it("keep the time at which they were first heard of when they change", () => {
    const { roster } = make();
    roster.changed([{ kind: "added", lease: lease(2) }]);
    const since = roster.status("")[0]!.since;
    roster.changed([{ kind: "changed", lease: lease(2, { VNI: 1, VtepMAC: mac(9) }) }]);
    expect(roster.status("")[0]).toMatchObject({ since, vtepMacs: [mac(9)] });
  });
});
