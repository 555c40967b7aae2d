/** What `poplin monitor` prints of an event, and in the end. */
import { describe, expect, it } from "vitest";
import type { AgentEvent } from "../../src/agent/api/agent-view.ts";
import { isMeant, type MonitorFilter } from "../../src/cli/monitor.ts";
import { plain } from "../../src/cli/output.ts";
import { MonitorTotals, monitorLines, totalsLines } from "../../src/cli/render-monitor.ts";
import { DROP_REASONS } from "../../src/dataplane/drops.ts";
import { type Drop, STRANGER } from "./dropped.ts";

const STYLE = { width: 80, color: false };
function line(event: AgentEvent): string {
  return monitorLines(event, STYLE, false).join("\n");
}

describe("a drop", () => {
  it("is one line where no terminal is: when, why, from whom, and the packet from the outside in", () => {
    expect(line(STRANGER)).toBe(
      "07:08:09.012 rx UNKNOWN_VTEP from 172.19.0.99:41234 vni 1 dev flannel.1 " +
        "ICMP 10.244.1.2 > 10.244.0.3 length 98 5e:00:00:00:00:01 > 5e:00:00:00:00:02",
    );
  });

  it("is broken on a terminal, what comes next below the reason", () => {
    expect(monitorLines(STRANGER, STYLE, true)).toEqual([
      "07:08:09.012 rx UNKNOWN_VTEP from 172.19.0.99:41234 vni 1 dev flannel.1",
      "             ICMP 10.244.1.2 > 10.244.0.3 length 98",
      "             5e:00:00:00:00:01 > 5e:00:00:00:00:02",
    ]);
    const colored = monitorLines(STRANGER, { ...STYLE, color: true }, true);
    expect(colored.map(plain)).toEqual(monitorLines(STRANGER, STYLE, true));
    expect(colored[0]).toContain("\u001b[31mUNKNOWN_VTEP\u001b[39m");
  });

  it("says what the kernel answered, which VNI the header names, and flags where they are the reason", () => {
    const packet = {
      source: "fd00::1",
      destination: "fd00::2",
      protocol: 6,
      ports: { source: 1, destination: 2 },
    };
    expect(
      line({ ...STRANGER, direction: "tx", reason: "UNDERLAY_REFUSED", error: "ENETUNREACH", packet }),
    ).toBe(
      "07:08:09.012 tx UNDERLAY_REFUSED to 172.19.0.99:41234 vni 1 dev flannel.1 ENETUNREACH " +
        "TCP [fd00::1]:1 > [fd00::2]:2 length 98 5e:00:00:00:00:01 > 5e:00:00:00:00:02",
    );
    const stray = {
      ...STRANGER,
      header: { flags: "88000000", vni: 16777215 },
      packet: null,
      frame: null,
      length: 0,
    };
    expect(line({ ...stray, reason: "VXLAN_VNI_NOT_FOUND" })).toBe(
      "07:08:09.012 rx VXLAN_VNI_NOT_FOUND from 172.19.0.99:41234 vni 1 dev flannel.1 header-vni 16777215 length 0",
    );
    expect(line({ ...stray, reason: "VXLAN_RESERVED_BITS" })).toContain(" flags 88000000 ");
    const frame = { ...STRANGER.frame!, etherType: 0x88f7 };
    expect(line({ ...stray, frame })).toContain("ethertype 0x88f7 length 0 5e:00:00:00:00:01 >");
  });

  it("that was only counted says so", () => {
    const { direction, reason, vni, dev, at } = STRANGER;
    const drops: AgentEvent = { type: "drops", direction, reason, vni, dev, count: 1204, at };
    expect(line(drops)).toBe("07:08:09.012 rx UNKNOWN_VTEP vni 1 dev flannel.1 1,204 only counted");
  });

  it("fits 80 columns, whatever its reason and addresses are", () => {
    const address = "2001:0db8:1234:5678:9abc:def0:1234:5678";
    const packet = { source: address, destination: address, protocol: null, ports: null };
    const wide = { ...STRANGER, packet, dev: "fifteen.letters", remote: { address, port: 65535 } };
    for (const reason of DROP_REASONS) {
      const lines = monitorLines({ ...wide, reason, error: "EADDRNOTAVAIL" }, STYLE, true);
      // Two addresses of IPv6 stay together: they are what is copied.
      for (const one of lines.filter((text) => !text.includes(" > 2001"))) {
        expect(one.length, one).toBeLessThanOrEqual(80);
      }
    }
  });
});

describe("what is meant", () => {
  const all: MonitorFilter = { vni: null, mac: null, reason: null };
  const { direction, reason, vni, dev, at } = STRANGER;
  const drops: AgentEvent = { type: "drops", direction, reason, vni, dev, count: 3, at };
  const miss: AgentEvent = { type: "l2miss", vni: 1, dev, mac: "5e:00:00:00:00:02", at };
  const lost: AgentEvent = { type: "lost", count: 3, at };
  const stray: Drop = { ...STRANGER, header: { flags: "08000000", vni: 7 } };

  it.each<[string, Partial<MonitorFilter>, AgentEvent[]]>([
    ["everything", {}, [STRANGER, stray, drops, miss, lost]],
    ["a VNI, the header's too", { vni: 7 }, [stray, lost]],
    ["an overlay's VNI", { vni: 1 }, [STRANGER, stray, drops, miss, lost]],
    ["another VNI", { vni: 2 }, [lost]],
    ["a source", { mac: "5e:00:00:00:00:01" }, [STRANGER, stray, lost]],
    ["a destination, or a MAC that was missed", { mac: "5e:00:00:00:00:02" }, [STRANGER, stray, miss, lost]],
    ["a reason", { reason: "UNKNOWN_VTEP" }, [STRANGER, stray, drops, lost]],
    ["another reason", { reason: "NO_TX_TARGET" }, [lost]],
  ])("%s", (_name, filter, wanted) => {
    const events = [STRANGER, stray, drops, miss, lost];
    expect(events.filter((event) => isMeant(event, { ...all, ...filter }))).toEqual(wanted);
  });
});

it("in the end each reason has its number and its meaning, shown or not", () => {
  const totals = new MonitorTotals();
  const { vni, dev, at } = STRANGER;
  const of = { vni, dev, at };
  for (const event of [
    { type: "drops", direction: "rx", reason: "SOCKET_RCVBUFF", count: 20, ...of },
    STRANGER,
    { type: "drops", direction: "rx", reason: "UNKNOWN_VTEP", count: 1999, ...of },
    { type: "l2miss", mac: "5e:00:00:00:00:02", ...of },
    { type: "lost", count: 1, at },
  ] satisfies AgentEvent[]) {
    totals.add(event);
  }
  expect(totalsLines(totals, STYLE)).toEqual([
    "2 events shown, 2,019 drops only counted, 1 event lost: they came faster than they could be told",
    "  2,000  rx UNKNOWN_VTEP    the sender is no VTEP that senderCheck lets in",
    "                            (ours)",
    "     20  rx SOCKET_RCVBUFF  the kernel dropped it: our receive buffer was full",
  ]);
  expect(totalsLines(new MonitorTotals(), STYLE)).toEqual(["0 events shown, 0 drops only counted"]);
});
