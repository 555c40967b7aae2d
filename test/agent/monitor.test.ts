/** What is a reason to look, by a source that says what the test wants; `test/netns/monitor.full.test.ts` has the kernel's. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type EventSource, HostMonitor, type MonitorOptions } from "../../src/agent/monitor.ts";
import type { Wanted } from "../../src/io/linux/netlink/filter.ts";
import type { NetlinkEvent } from "../../src/io/linux/netlink/message.ts";
import type { NetlinkListener } from "../../src/io/linux/netlink/watch.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

class Script implements EventSource {
  readonly indexes = new Map([
    ["flannel.1", 7],
    ["eth0", 2],
    ["cni0", 9],
  ]);
  wanted: Wanted | undefined;
  closed = 0;
  fails = false;
  listener!: NetlinkListener;

  open(listener: NetlinkListener) {
    this.listener = listener;
    return { narrow: (wanted: Wanted) => this.#narrow(wanted), close: () => void this.closed++ };
  }

  #narrow(wanted: Wanted): void {
    this.wanted = wanted;
  }

  indexOf(name: string): number {
    if (this.fails) throw new Error("EMFILE");
    return this.indexes.get(name) ?? 0;
  }
}

function watching(options: Partial<MonitorOptions> = {}) {
  const source = new Script();
  const whys: string[] = [];
  const monitor = new HostMonitor(
    { devices: () => ["flannel.1"], uplink: () => "eth0", look: (why) => void whys.push(why), ...options },
    source,
  );
  /** @returns what the events that have been said are a reason for, null when they are none */
  const hear = async (...events: NetlinkEvent[]): Promise<string | null> => {
    whys.length = 0;
    source.listener.heard(events);
    await vi.advanceTimersByTimeAsync(60_000);
    return whys.length === 0 ? null : whys.join("; ");
  };
  return { source, monitor, whys, hear };
}

const link = {
  kind: "link",
  op: "new",
  index: 7,
  name: "flannel.1",
  mac: "",
  mtu: 1450,
  up: true,
  running: true,
} as const;
const eth0 = { ...link, index: 2, name: "eth0", mtu: 1500 } as const;
const address = { kind: "address", op: "new", index: 7, address: "10.244.1.0/32", flags: 0x80 } as const;
const route = { kind: "route", op: "new", index: 7, dst: "10.244.2.0/24", replaces: false } as const;
const neighbour = {
  kind: "neighbour",
  op: "new",
  index: 7,
  address: "10.244.2.0",
  permanent: true,
  asked: true,
} as const;

describe("of our devices", () => {
  it.each<[string, NetlinkEvent]>([
    ["flannel.1 deleted", { ...link, op: "del" }],
    ["flannel.1 changed", { ...link, up: false }],
    ["10.244.1.0/32 dev flannel.1 deleted", { ...address, op: "del" }],
    ["10.9.0.1/24 dev flannel.1 set", { ...address, address: "10.9.0.1/24" }],
    ["10.244.2.0/24 dev flannel.1 deleted", { ...route, op: "del" }],
    ["10.244.2.0/24 dev flannel.1 set", route],
    ["neighbour 10.244.2.0 dev flannel.1 set", neighbour],
    ["neighbour 10.244.2.0 dev flannel.1 set", { ...neighbour, permanent: false }],
    ["neighbour 10.244.2.0 dev flannel.1 deleted", { ...neighbour, op: "del", asked: false }],
  ])("a reason: %s", async (why, event) => {
    expect(await watching().hear(event)).toBe(why);
  });

  it("each change is one, also one that says what was said before: a MAC that is set again costs neighbours", async () => {
    const { hear } = watching();
    expect(await hear(link)).toBe("flannel.1 changed");
    expect(await hear(link)).toBe("flannel.1 changed");
  });

  it("a look is told whether anything else has changed, too", async () => {
    const look = vi.fn();
    const { hear, source } = watching({ look });
    for (const events of [[route, neighbour], [route, { ...eth0, up: false }], [route]] as const)
      await hear(...events);
    source.listener.lost();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(look.mock.calls.map(([, elsewhere]) => elsewhere)).toEqual([false, true, false, true]);
  });

  it("neighbours that the kernel learns and forgets are none", async () => {
    const { hear } = watching();
    const learnt = { ...neighbour, permanent: false, asked: false };
    expect(await hear(learnt, { ...learnt, op: "del" })).toBeNull();
  });

  it("a device that is made anew is heard by its name, and from then on by its new index", async () => {
    const { hear, source } = watching();
    expect([...source.wanted!.devices]).toEqual([7]);
    source.indexes.delete("flannel.1");
    expect(await hear({ ...link, op: "del" })).toBe("flannel.1 deleted");
    expect([...source.wanted!.devices]).toEqual([]);
    source.indexes.set("flannel.1", 31);
    expect(await hear({ ...link, index: 31 })).toBe("flannel.1 changed");
    expect([...source.wanted!.devices]).toEqual([31]);
    expect(await hear({ ...route, index: 31 })).toBe("10.244.2.0/24 dev flannel.1 set");
    expect(await hear(route)).toBeNull();
  });

  it("a device that gets another name is heard by its index", async () => {
    expect(await watching().hear({ ...link, name: "renamed" })).toBe("flannel.1 changed");
  });

  it("there may be many, and other ones after a while", async () => {
    let names = ["flannel.1", "cni0"];
    const { hear, source } = watching({ devices: () => names });
    expect(await hear({ ...address, index: 9 })).toBe("10.244.1.0/32 dev cni0 set");
    names = ["flannel.1"];
    expect(await hear(link)).toBe("flannel.1 changed");
    expect([...source.wanted!.devices]).toEqual([7]);
    expect(await hear({ ...address, index: 9 })).toBeNull();
  });
});

describe("of the uplink", () => {
  it("down, up, another MTU, gone", async () => {
    const { hear } = watching();
    expect(await hear({ ...eth0, up: false, running: false })).toBe("eth0 down");
    expect(await hear({ ...eth0, running: false })).toBe("eth0 without carrier");
    expect(await hear(eth0)).toBe("eth0 up");
    expect(await hear({ ...eth0, mtu: 9000 })).toBe("eth0 up");
    expect(await hear({ ...eth0, op: "del" })).toBe("eth0 deleted");
    expect(await hear({ ...eth0, index: 12 })).toBe("eth0 up");
  });

  it("an address that comes, goes or becomes deprecated", async () => {
    const { hear } = watching();
    const own = { ...address, index: 2, address: "192.168.9.1/24" };
    expect(await hear(own)).toBe("192.168.9.1/24 dev eth0 set");
    expect(await hear({ ...own, flags: 0xa0 })).toBe("192.168.9.1/24 dev eth0 set");
    expect(await hear({ ...own, op: "del" })).toBe("192.168.9.1/24 dev eth0 deleted");
    expect(await hear(own)).toBe("192.168.9.1/24 dev eth0 set");
  });

  it("what is only said again is none, until something may have been missed", async () => {
    const { hear, source } = watching();
    const own = { ...address, index: 2 };
    expect(await hear(eth0, own)).toBe("eth0 up (and 1 more)");
    expect(await hear(eth0, own, own, eth0)).toBeNull();
    source.listener.lost();
    await vi.advanceTimersByTimeAsync(1000);
    expect(await hear(own)).toBe("10.244.1.0/32 dev eth0 set");
  });

  it("its neighbours and routes are none", async () => {
    const { hear } = watching();
    expect(await hear({ ...neighbour, index: 2 }, { ...route, index: 2 })).toBeNull();
  });

  it("there may be none", async () => {
    const { hear } = watching({ uplink: () => null });
    expect(await hear(eth0, { ...address, index: 2 }, { ...address, index: 0 })).toBeNull();
  });
});

describe("of anything else", () => {
  const other = { ...route, index: 9, op: "del" } as const;

  it("other devices are none", async () => {
    const { hear } = watching();
    const events = [{ ...link, name: "cni0" }, address, neighbour, other].map((one) => ({
      ...one,
      index: 9,
    }));
    expect(await hear(...events)).toBeNull();
  });

  it("a route that took the place of another is one, wherever it leads", async () => {
    expect(await watching().hear({ ...route, index: 9, replaces: true })).toBe("10.244.2.0/24 replaced");
    expect(await watching().hear({ ...route, index: 0, replaces: true })).toBe("10.244.2.0/24 replaced");
  });

  it("any route is one where that was asked for", async () => {
    const { hear, source } = watching({ routes: true });
    expect(source.wanted!.routes).toBe(true);
    expect(await hear(other)).toBe("route to 10.244.2.0/24 deleted");
    expect(await hear({ ...other, index: 0 })).toBe("route to 10.244.2.0/24 deleted");
  });

  it("so is what the kernel could not tell", async () => {
    const { source, whys } = watching();
    source.listener.lost();
    source.listener.lost();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(whys).toEqual(["more has changed than the kernel could tell (and 1 more)"]);
  });
});

describe("looks", () => {
  it("a look that changes something is followed by one that finds nothing, and then there is rest", async () => {
    let wrong = 1;
    let looks = 0;
    const { source } = watching({
      look: async () => {
        looks++;
        await new Promise((resolve) => setTimeout(resolve, 20));
        if (wrong === 0) return;
        wrong = 0;
        source.listener.heard([route, neighbour]); // what we have set ourselves
      },
    });
    source.listener.heard([{ ...route, op: "del" }]);
    await vi.advanceTimersByTimeAsync(600_000);
    expect(looks).toBe(2);
  });

  it("ten thousand routes at once are one look, and one more for those that came meanwhile", async () => {
    const { source, whys } = watching({ routes: true });
    const flushed = Array.from({ length: 250 }, () => ({ ...route, index: 9, op: "del" as const }));
    for (let i = 0; i < 40; i++) {
      source.listener.heard(flushed);
      await vi.advanceTimersByTimeAsync(2);
    }
    await vi.advanceTimersByTimeAsync(60_000);
    expect(whys.length).toBeLessThanOrEqual(2);
  });

  it("an index that cannot be asked for is asked for again before the next look", async () => {
    const { source, hear } = watching();
    source.indexes.set("flannel.1", 31);
    source.fails = true;
    expect(await hear({ ...link, index: 31 })).toBe("flannel.1 changed");
    expect([...source.wanted!.devices]).toEqual([7]);
    source.fails = false;
    await hear({ ...link, index: 31 });
    expect([...source.wanted!.devices]).toEqual([31]);
  });

  it("after close there is none, and the source is closed; also where the constructor fails", async () => {
    const { source, monitor, hear } = watching();
    source.listener.heard([link]);
    monitor.close();
    expect(await hear(link)).toBeNull();
    expect(source.closed).toBe(1);

    const failing = new Script();
    failing.fails = true;
    const options = { devices: () => ["flannel.1"], uplink: () => null, look: () => {} };
    expect(() => new HostMonitor(options, failing)).toThrow("EMFILE");
    expect(failing.closed).toBe(1);
  });
});
