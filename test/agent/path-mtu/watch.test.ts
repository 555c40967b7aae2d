/** The watch over paths, on the loopback: it takes 65,535 bytes, and everybody on it replies. */
import { setImmediate as turn } from "node:timers/promises";
import { afterEach, expect, it } from "vitest";
import type { Engine } from "../../../src/agent/engine/engine.ts";
import { Log } from "../../../src/agent/log.ts";
import { type PathSettings, PathWatch } from "../../../src/agent/path-mtu/watch.ts";
import { Counters } from "../../../src/dataplane/counters.ts";
import { describeWith, root } from "../../helpers/needs.ts";

const PROBED: PathSettings = { pmtu: "icmp", pmtuProbe: 600 };
const LEAST_MTU_TOO_LARGE = 65_500;

function peer(last: number): string {
  return `127.0.0.${last}`;
}

describeWith([root()], "PathWatch", () => {
  let open: PathWatch | undefined;
  afterEach(() => open?.close());

  /** @returns a watch, and what it tells the dataplane */
  function watch(mtu: number) {
    const told: unknown[] = [];
    const engine = {
      snapshot: () => new Counters().snapshot(),
      ask: async (command: unknown) => void told.push(command),
    } as unknown as Engine;
    const uplink = { address: "127.0.0.1", mtu: 65_536 };
    open = new PathWatch({ engine, uplink, family: 4, port: 8472, mtu, log: new Log("error") });
    return { paths: open, told };
  }

  async function how(paths: PathWatch, address: string, wanted: string) {
    while (paths.statusOf(address)?.how !== wanted) await new Promise((resolve) => setTimeout(resolve, 10));
    return paths.statusOf(address);
  }

  it("assumes what the uplink takes, and knows once there was a reply", async () => {
    const { paths, told } = watch(1450);
    paths.update([peer(2), peer(3)], { pmtu: "icmp", pmtuProbe: "off" });
    expect(paths.statusOf(peer(2))).toMatchObject({ bytes: 65_535, needed: 1500, how: "assumed" });
    expect(paths.statusOf(peer(4))).toBe(null);
    paths.update([peer(2), peer(3)], PROBED);
    expect(await how(paths, peer(3), "probe")).toMatchObject({ bytes: 65_535, needed: 1500 });
    expect(told).toEqual([]);
  });

  it("tells the dataplane what is narrower than the overlay, and takes it back", async () => {
    const { paths, told } = watch(LEAST_MTU_TOO_LARGE);
    const limits = [2, 3].map((last) => ({ address: `127.0.0.${last}`, mtu: 65_485 }));
    paths.update([peer(2), peer(3)], PROBED);
    await turn();
    expect(told).toEqual([{ type: "pathLimits", limits }]);
    for (const settings of [PROBED, PROBED, { ...PROBED, pmtu: "off" } as const]) {
      paths.update([peer(2)], settings);
      await turn();
    }
    expect(told.slice(1)).toEqual([
      { type: "pathLimits", limits: limits.slice(0, 1) },
      { type: "pathLimits", limits: [] },
    ]);
  });
});
