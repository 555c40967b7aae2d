/**
 * What is said of Linux, beside what it does: each packet arrives at a VXLAN device of this machine's kernel, which names
 * the reason where it drops it.
 */
import { afterEach, beforeEach, expect, it } from "vitest";
import { DropTrace } from "../../src/lab/drop-trace.ts";
import { describeFull, describeWith, dropTrace, lab } from "../helpers/needs.ts";
import { Inside } from "./inside.ts";
import type * as scenarios from "./verdict-scenarios.ts";
import { ANYTHING_SECONDS, traceOf } from "./verdict-scenarios.ts";

/** Seconds until it is given up. */
const ANYTHING_MOST = 60 + ANYTHING_SECONDS;
const NEEDS = [lab(), dropTrace()];

let inside: Inside;

/** What the scenario has compared; the kernel did nothing else than was said. */
async function compare(scenario: keyof typeof scenarios, seconds?: number): Promise<scenarios.Compared> {
  const compared = await inside.run<scenarios.Compared>(scenario, seconds);
  expect(compared.otherwise).toEqual([]);
  return compared;
}

function stage(): void {
  beforeEach(() => {
    inside = new Inside(new URL("./verdict-scenarios.ts", import.meta.url));
  });
  afterEach(() => {
    inside.remove();
    DropTrace.remove(traceOf(process.pid));
  });
}

/** The reasons that a VTEP and what is below it have: each was met. */
const MET = ["OTHERHOST", "UNHANDLED_PROTO", "IP_INHDR", "IP_CSUM", "PKT_TOO_SMALL", "NO_SOCKET", "UDP_CSUM"];

describeWith(NEEDS, "Linux does as it is said to", () => {
  stage();

  it("with the study's ping, whichever bit of it is flipped", async () => {
    const { count, reasons } = await compare("everyBitOfThePing");
    expect(count).toBe(1 + 2 * 148 * 8);
    const met = [...MET, "VXLAN_INVALID_HDR", "VXLAN_VNI_NOT_FOUND", "IP_LOCAL_SOURCE", "in"];
    expect(Object.keys(reasons)).toEqual(expect.arrayContaining(met));
  });

  it("with each example, wherever it is cut off", async () => {
    const { count, reasons } = await compare("everyLength");
    expect(count).toBeGreaterThan(1000);
    expect(Object.keys(reasons)).toEqual(
      expect.arrayContaining(["IP_INHDR", "PKT_TOO_SMALL", "NOMEM", "in"]),
    );
  });

  it("with each pair of congestion marks", async () => {
    expect((await compare("everyMark")).reasons).toEqual({ in: 30, IP_TUNNEL_ECN: 2 });
  });

  it("with odd source MACs, learning or not, and without a checksum over IPv6", async () => {
    const { reasons } = await compare("oddities");
    expect(reasons).toMatchObject({ LOCAL_MAC: 2, MAC_INVALID_SOURCE: 3, UDP_CSUM: 1 });
  });

  it(
    "with anything, at random",
    async () => {
      const { count } = await compare("anything", ANYTHING_MOST);
      expect(count).toBeGreaterThanOrEqual(1000);
    },
    ANYTHING_MOST * 1000,
  );
});

describeFull(NEEDS, "in full, Linux does as it is said to", () => {
  stage();

  it("with each example, whichever bit of it is flipped", async () => {
    expect((await compare("everyBit")).count).toBeGreaterThan(10_000);
  });
});
