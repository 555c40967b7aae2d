/** The underlay's socket against the kernel itself, in a namespace for each test. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { canMakeNamespaces, Inside } from "./inside.ts";
import type * as scenarios from "./socket-scenarios.ts";

type Scenario = keyof typeof scenarios;
type Returned<S extends Scenario> = Awaited<ReturnType<(typeof scenarios)[S]>>;

let inside: Inside;

function run<S extends Scenario>(scenario: S): Promise<Returned<S>> {
  return inside.run<Returned<S>>(scenario);
}

describe.runIf(canMakeNamespaces)("in a namespace", () => {
  beforeEach(() => {
    inside = new Inside(new URL("./socket-scenarios.ts", import.meta.url));
  });
  afterEach(() => inside.remove());

  it("a port that a kernel VXLAN device has is reported with the device", async () => {
    const { down, up } = await run("vxlanPort");
    expect(down).toBeNull();
    expect(up).toMatchObject({ name: "PortTakenError", code: "POPLIN_PORT_TAKEN", errnoName: "EADDRINUSE" });
    expect(up!.message).toContain("UDP port 8472 is taken by the kernel's VXLAN device vx.test");
    expect(up!.message).toContain("ip link del vx.test");
  });

  it("TOS, TTL, DF and the zero checksum reach the outer header", async () => {
    const common = { sent: 1, length: 100, ports: [true, 8472] };
    const set = { ...common, tos: 0xb9, ttl: 7, zeroChecksum: true };
    const standard = { ...common, tos: 0, ttl: 64, zeroChecksum: false };
    expect(await run("outerHeaders")).toEqual({
      default4: { ...standard, df: false },
      set4: { ...set, df: true },
      // Without a flow label of the kernel's making, as the kernel's VXLAN.
      default6: { ...standard, label: 0 },
      set6: { ...set, label: 0 },
    });
  });

  it("a row's TTL goes before the socket's; to a group the TTL is 1 unless given; a flow label is the address's", async () => {
    expect(await run("outerOfRows")).toEqual({
      row4: { ttl: 200 },
      row6: { ttl: 200, label: 0 },
      label: { ttl: 64, label: 0xabcde },
      group4: [{ ttl: 1 }, { ttl: 7 }, { ttl: 9 }],
      groupRow4: { ttl: 200 },
      group6: [1, 7, 9].map((ttl) => ({ ttl, label: 0 })),
      groupRow6: { ttl: 200, label: 0 },
    });
  });

  it("DF goes by socket, with two on each source port", async () => {
    const sent = (df: boolean) => ({ port: true, df });
    expect(await run("twins")).toEqual([false, false, true, true].map(sent));
  });
});
