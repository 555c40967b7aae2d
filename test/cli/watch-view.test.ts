/** The screen of `poplin watch`: drops first, what is selected stays, Enter explains it. */
import { describe, expect, it } from "vitest";
import type { PacketEvent } from "../../src/agent/api/agent-view.ts";
import { WatchView } from "../../src/cli/watch-view.ts";
import { Watched, type WatchFilter } from "../../src/cli/watched.ts";
import { EXAMPLES } from "../../src/teach/examples.ts";
import { hex } from "../../src/wire/bytes.ts";

const STYLE = { width: 80, color: false };
const ALL: WatchFilter = { vni: null, mac: null, address: null, reason: null, dropsOnly: false };

/** @param bytes from the outer Ethernet header on */
function event(bytes: Uint8Array, more: Partial<PacketEvent> = {}): PacketEvent {
  const payload = bytes.subarray(42);
  return {
    ...{ type: "packet", direction: "rx", vni: 1, dev: "flannel.1", drop: null, layer: "udp-payload" },
    ...{ length: payload.length, bytes: hex(payload), tos: 0, train: 1, at: "2026-01-01T12:00:00.000Z" },
    local: { address: "172.19.0.3", port: 8472 },
    remote: { address: "172.19.0.2", port: 50_300 },
    ...more,
  };
}

const PING = event(EXAMPLES.ping.bytes);
const DROPPED = event(EXAMPLES.tcp.bytes, { drop: { reason: "UNKNOWN_VTEP", error: null } });
const FRAME = event(EXAMPLES.ping.bytes, {
  ...{ direction: "tx", layer: "ethernet", local: null, remote: null },
  ...{
    bytes: hex(EXAMPLES.ping.bytes.subarray(50)),
    length: 98,
    drop: { reason: "NO_TX_TARGET", error: null },
  },
} as Partial<PacketEvent>);

function view(...events: PacketEvent[]): WatchView {
  const made = new WatchView();
  for (const [i, one] of events.entries()) made.add(new Watched(one), i, `12:00:0${i}.000`);
  return made;
}

describe("a packet", () => {
  it("gets the outer headers back that the agent knows", () => {
    const { bytes, summary } = new Watched(PING);
    // But for what nobody has told the agent: the identification, and what sums it up.
    const known = EXAMPLES.ping.bytes.slice(14);
    for (const at of [4, 5, 10, 11]) known[at] = bytes[at]!;
    expect(hex(bytes)).toBe(hex(known));
    expect(summary).toMatch(
      /^172\.19\.0\.2:50300 > 172\.19\.0\.3:8472 VXLAN vni 1 \| 10\.244\.1\.2 > 10\.244\.2\.5 ICMP/,
    );
  });

  it("is chosen by VNI, MAC, address and reason, outside and inside", () => {
    const ping = new Watched(PING);
    const dropped = new Watched(DROPPED);
    for (const address of ["172.19.0.2", "172.19.0.3", "10.244.1.2", "10.244.2.5"])
      expect(ping.isMeant({ ...ALL, address })).toBe(true);
    expect(ping.isMeant({ ...ALL, address: "10.244.9.9" })).toBe(false);
    expect(ping.isMeant({ ...ALL, mac: "7a:21:9c:04:55:01" })).toBe(true);
    expect(ping.isMeant({ ...ALL, mac: "7a:21:9c:04:55:02" })).toBe(false);
    expect([1, 2].map((vni) => ping.isMeant({ ...ALL, vni }))).toEqual([true, false]);
    expect([ping, dropped].map((one) => one.isMeant({ ...ALL, dropsOnly: true }))).toEqual([false, true]);
    expect([ping, dropped].map((one) => one.isMeant({ ...ALL, reason: "UNKNOWN_VTEP" }))).toEqual([
      false,
      true,
    ]);
    expect(dropped.isMeant({ ...ALL, reason: "VXLAN_INVALID_HDR" })).toBe(false);
  });
});

describe("a datagram whose VTEP has gone", () => {
  it("is shown from its VXLAN header on", () => {
    const gone = new Watched({ ...DROPPED, direction: "tx", remote: null });
    expect(gone.layer).toBe("udp-payload");
    expect(gone.summary).toContain("VXLAN vni 1 | 10.244.1.2");
    expect(
      view({ ...DROPPED, direction: "tx", remote: null })
        .lines("", STYLE, 20)
        .join(""),
    ).toContain("UNKNOWN_VTEP");
  });
});

describe("the screen", () => {
  const lines = (one: WatchView, rows = 20): string[] => one.lines("agent 7", STYLE, rows);

  it("has drops first, newest on top, within the terminal", () => {
    const shown = lines(view(DROPPED, PING, PING, FRAME));
    const body = shown.filter((line) => line.includes("12:00:0"));
    expect(body.map((line) => /12:00:0(\d)/.exec(line)![1])).toEqual(["3", "0", "2", "1"]);
    expect(body[1]).toContain("UNKNOWN_VTEP");
    for (const line of shown) expect(line.length).toBeLessThanOrEqual(80);
    expect(lines(view(...Array.from({ length: 9 }, () => PING)), 12).length).toBeLessThanOrEqual(12);
  });

  it("keeps others in sight when there are many drops", () => {
    const shown = lines(view(PING, ...Array.from({ length: 9 }, () => DROPPED)), 12);
    expect(shown.some((line) => line.includes("ICMP"))).toBe(true);
  });

  it("says how many were not shown", () => {
    const one = view(PING);
    expect(lines(one).join("\n")).toContain("1 packet shown, none left out");
    one.miss(1234, 5);
    expect(lines(one).join("\n")).toContain("1,234 more passed and 5 drops unseen");
  });

  it("explains what is selected, and comes back", () => {
    const one = view(DROPPED, PING);
    one.key("\u001b[B");
    one.key("\r");
    expect(lines(one, 200).join("\n")).toContain("ICMP");
    one.key("\r");
    one.key("\u001b[A");
    one.key("\r");
    expect(lines(one, 200)[0]).toContain("UNKNOWN_VTEP: ");
    one.key("\u001b");
    expect(lines(one)[0]).toContain("poplin watch");
  });

  it("stays as it is while somebody selects, and goes on afterwards", () => {
    const one = view(PING);
    one.key("\u001b[B");
    one.add(new Watched(DROPPED), 9, "12:00:09.000");
    expect(lines(one).join("\n")).not.toContain("12:00:09");
    expect(lines(one)[0]).toContain("paused");
    one.key(" ");
    expect(lines(one).join("\n")).toContain("12:00:09");
  });

  it("selects something that is there, whatever was selected before", () => {
    const one = view(...Array.from({ length: 9 }, () => PING));
    for (let i = 0; i < 8; i++) one.key("\u001b[B");
    for (const key of [" ", "f", "\r"]) one.key(key);
    expect(lines(one, 200).join("\n")).toContain("inner ICMP");
    expect(() => new WatchView().key("\r")).not.toThrow();
  });

  it("remembers no more flows than it can show", () => {
    const one = new WatchView();
    const bytes = EXAMPLES.ping.bytes.slice();
    for (let i = 0; i < 2000; i++) {
      bytes[80] = i >> 8;
      bytes[81] = i;
      one.add(new Watched(event(bytes)), 1, "12:00:00.000");
    }
    one.key("f");
    expect(one.lines("", STYLE, 10_000).filter((line) => line.includes("1 packet,")).length).toBe(500);
  });

  it("shows flows with how many packets each has", () => {
    const one = view(PING, PING, PING, event(EXAMPLES.tcp.bytes));
    one.key("f");
    const body = lines(one).filter((line) => line.includes("12:00:0"));
    expect(body).toHaveLength(2);
    expect(body.some((line) => line.includes("3 packets, 10.244.1.2 > 10.244.2.5 ICMP"))).toBe(true);
  });
});
