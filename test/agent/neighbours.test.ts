/** The table of neighbours as leases, settings and hands make it. */
import { describe, expect, it } from "vitest";
import { startInlineEngine } from "../../src/agent/engine/inline-engine.ts";
import { Neighbours } from "../../src/agent/neighbours.ts";
import { MemoryNetwork, MemoryTap } from "../../src/io/memory.ts";
import { OPTIONS } from "../dataplane/stages.ts";

const LEASE = {
  publicIp: "192.0.2.2",
  port: 8472,
  vtepMac: "0e:2a:00:00:00:02",
  subnets: ["10.244.2.0/24", "fd00:244:2::/64"],
};

function table() {
  const underlay = new MemoryNetwork().attach({ address: Uint8Array.of(192, 0, 2, 1), port: 8472 });
  const neighbours = new Neighbours(startInlineEngine(OPTIONS, new MemoryTap(), underlay));
  const rows = async () => (await neighbours.rows()).map(({ address, mac }) => `${address} ${mac}`).sort();
  return { neighbours, rows };
}

describe("the table of neighbours", () => {
  it("has what leases and setting ask for; the setting counts", async () => {
    const { neighbours, rows } = table();
    const setting = ["10.0.0.5 lladdr 02:00:00:00:00:05", "10.244.2.0 lladdr 02:00:00:00:00:06"];
    expect(await neighbours.reconcile([LEASE], setting)).toBe(3);
    expect(await rows()).toEqual([
      "10.0.0.5 02:00:00:00:00:05",
      "10.244.2.0 02:00:00:00:00:06",
      "fd00:244:2:: 0e:2a:00:00:00:02",
    ]);
    expect(await neighbours.reconcile([LEASE], setting)).toBe(0);
    expect(await neighbours.reconcile([], [])).toBe(3);
    expect(await rows()).toEqual([]);
  });

  it("says what a comparison would change, and changes nothing", async () => {
    const { neighbours, rows } = table();
    await neighbours.reconcile([LEASE], []);
    expect(await neighbours.plan()).toEqual([]);
    await neighbours.change({ op: "del", address: "10.244.2.0" });
    await neighbours.change({ op: "replace", address: "fd00:244:2::", mac: "02:00:00:00:00:06" });
    await neighbours.change({ op: "add", address: "10.0.0.7", mac: "02:00:00:00:00:07" });
    const before = await rows();
    expect(await neighbours.plan()).toEqual([
      "proxy neigh replace 10.244.2.0 lladdr 0e:2a:00:00:00:02",
      "proxy neigh replace fd00:244:2:: lladdr 0e:2a:00:00:00:02",
    ]);
    expect(await rows()).toEqual(before);
    expect(await neighbours.reconcile([LEASE], [])).toBe(2);
    expect(await neighbours.plan()).toEqual([]);
  });

  it("keeps what was added by hand until the configuration takes the address over", async () => {
    const { neighbours, rows } = table();
    await neighbours.change({ op: "add", address: "10.0.0.7", mac: "02-00-00-00-00-07" });
    expect(await neighbours.reconcile([], [])).toBe(0);
    expect(await rows()).toEqual(["10.0.0.7 02:00:00:00:00:07"]);
    await neighbours.reconcile([], ["10.0.0.7 lladdr 02:00:00:00:00:08"]);
    expect(await neighbours.reconcile([], [])).toBe(1);
  });

  it("refuses by hand what `ip neigh` refuses, and says why", async () => {
    const { neighbours } = table();
    const mac = "02:00:00:00:00:07";
    await neighbours.change({ op: "add", address: "fd00::7", mac });
    const refusals = [
      [{ op: "add", address: "fd00:0::7", mac }, "ROW_EXISTS"],
      [{ op: "del", address: "fd00::8" }, "NO_SUCH_ROW"],
      [{ op: "add", address: "10.0.0", mac }, "BAD_ADDRESS"],
      [{ op: "add", address: "224.0.0.1", mac }, "BAD_ADDRESS"],
      [{ op: "add", address: "127.0.0.1", mac }, "BAD_ADDRESS"],
      [{ op: "replace", address: "10.0.0.7", mac: "01:00:00:00:00:07" }, "BAD_MAC"],
    ] as const;
    for (const [change, code] of refusals) {
      await expect(neighbours.change(change)).rejects.toMatchObject({ code });
    }
    await neighbours.change({ op: "replace", address: "fd00::7", mac });
    await neighbours.change({ op: "del", address: "fd00::7" });
    expect(await neighbours.rows()).toEqual([]);
  });
});
