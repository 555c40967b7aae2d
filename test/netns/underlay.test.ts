/** What the underlays put on the wire, and what they do when the kernel refuses or holds back what they send. */
import { afterEach, beforeEach, expect, it } from "vitest";
import { describeWith, namespaces, optionalPackage, shim, tun } from "../helpers/needs.ts";
import { Inside } from "./inside.ts";
import type * as scenarios from "./underlay-scenarios.ts";

type Scenario = keyof typeof scenarios;
type Returned<S extends Scenario> = Awaited<ReturnType<(typeof scenarios)[S]>>;

const EMSGSIZE = 90;
const ENETUNREACH = 101;

let inside: Inside;

function run<S extends Scenario>(scenario: S): Promise<Returned<S>> {
  return inside.run<Returned<S>>(scenario);
}

const NEEDS = [namespaces(), tun(), shim(), optionalPackage("raw-socket")];

describeWith(NEEDS, "an underlay on the wire", () => {
  beforeEach(() => {
    inside = new Inside(new URL("./underlay-scenarios.ts", import.meta.url));
  });
  afterEach(() => inside.remove());

  const standard = {
    sent: 1,
    tos: 0,
    ttl: 64,
    df: 0,
    identified: true,
    source: "192.0.2.1",
    lengths: [129, 109, 129],
    headerChecksum: true,
    ports: [8472, 8472],
    intact: true,
  };

  it("raw: our port, no checksum, DF clear, and a source address that the kernel chose", async () => {
    expect(await run("rawStandard")).toEqual({ ...standard, checksum: "zero" });
  });

  it("raw: TOS, TTL, DF and source port as asked for", async () => {
    // An identification is of no use to what cannot be cut (RFC 6864 section 4.1).
    const asked = { tos: 0xb9, ttl: 7, df: 1, identified: false, ports: [50_001, 8472] };
    expect(await run("rawAsAsked")).toEqual({ ...standard, ...asked, checksum: "zero" });
  });

  it("dgram: DF set, whatever else is asked for", async () => {
    expect(await run("dgramStandard")).toEqual({
      ...standard,
      df: 1,
      identified: expect.any(Boolean),
      checksum: "computed",
    });
  });

  it("dgram: TTL as asked for", async () => {
    expect(await run("dgramTtl")).toMatchObject({ ttl: 7, intact: true });
  });

  it("raw: what is longer than the MTU is refused, and the next datagram goes", async () => {
    const { answers, seen, inUse } = await run("rawBeyondMtu");
    expect(answers).toEqual([1, -EMSGSIZE, -EMSGSIZE, 1]);
    expect(seen.map(({ totalLength }) => totalLength)).toEqual([1500, 128]);
    expect(inUse).toBe(0);
  });

  it("dgram: what is longer than the MTU is cut into fragments, without DF", async () => {
    const { answers, seen, inUse } = await run("dgramBeyondMtu");
    expect(answers).toEqual([1, 1, 1, 1]);
    const pieces = seen.map(({ totalLength, dontFragment, moreFragments }) => [
      totalLength,
      dontFragment,
      moreFragments,
    ]);
    expect(pieces).toEqual([
      [1500, 1, 0],
      [1500, 0, 1],
      [21, 0, 0],
      [1500, 0, 1],
      [1500, 0, 1],
      [68, 0, 0],
      [128, 1, 0],
    ]);
    expect(inUse).toBe(0);
  });

  for (const scenario of ["batchBlocked", "rawBlocked", "dgramBlocked"] as const) {
    it(`${scenario}: waits while the send buffer is full, and loses nothing`, async () => {
      const { taken, then, held, early, ...rest } = await run(scenario);
      expect(taken).toBeGreaterThan(0);
      expect(taken).toBeLessThan(scenario === "dgramBlocked" ? 257 : 60);
      expect(held).toEqual([600 - taken - then, 600 - taken - then]);
      expect(then).toBeLessThan(60); // dgram: what the kernel took meanwhile
      expect(early).toBeLessThan(2); // the interest was told before anything was known to be full
      expect(rest).toEqual({ woken: true, got: 600, inOrder: true, late: 0, inUse: 0 });
    });
  }

  for (const scenario of ["batchUnreachable", "rawUnreachable"] as const) {
    it(`${scenario}: told at once, and the next datagram goes`, async () => {
      expect(await run(scenario)).toEqual({ first: -ENETUNREACH, seen: [1], later: null });
    });
  }

  it("dgramUnreachable: told later, and the next datagram goes", async () => {
    expect(await run("dgramUnreachable")).toEqual({ first: 2, seen: [1], later: [1, ENETUNREACH] });
  });
});
