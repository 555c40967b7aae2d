/**
 * What is done to each pair of nodes with the bad network between them, and what has to hold:
 *
 *   TCP   every stream arrives as it was sent, whatever happened on the way
 *   UDP   what arrives is what was sent; what is missing is no more than what the network took
 *
 * and that the bad network was really bad: its own counts say what it did.
 */
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { OFFLOAD_NAMES, type OffloadName } from "../../../src/dataplane/offloads.ts";
import type { Host } from "../../../src/lab/host.ts";
import { ip } from "../../../src/lab/netns.ts";
import type { PoplinNode } from "../../../src/lab/poplin-node.ts";
import { describeWith, lab, tool } from "../../helpers/needs.ts";
import { type Family, ipv6, podOf } from "../pods.ts";
import { type Combination, configOf, expectedOffloads, titleOf } from "./combinations.ts";
import { ecnCounters, useEcn } from "./ecn.ts";
import { Pair } from "./pair.ts";
import { type Counts, type Rates, total } from "./relay.ts";
import { bulk, type CallsResult, call, serveBoth, small, type TrainsResult, trains } from "./traffic.ts";
import { addVlan, setVlanMtu, TAG_LENGTH, taggedAddress, taggerDrops } from "./vlan.ts";

export interface Volume {
  /** Bytes each way without faults, and with them, per inner family. */
  readonly clean: number;
  readonly faulty: number;
  /** Short connections. */
  readonly connections: number;
  /** Datagrams in UDP_SEGMENT trains. */
  readonly datagrams: number;
}

/** So rare that TCP still gets somewhere; so frequent that every kind happens often. */
const BAD: Rates = { loss: 0.001, duplicate: 0.001, reorder: 0.002, flip: 0.001 };
/** For traffic of which there is little, or that does not slow down. */
const WORSE: Rates = { loss: 0.01, duplicate: 0.01, reorder: 0.02, flip: 0.01 };

/** A router with a long queue, that drops little: it marks. */
const CONGESTED: Rates = { mark: 0.02, loss: 0.0005 };
/** What both ends have to see of its marks, and how often it is tried. */
const MARKED = ["marked", "ece", "cwr", "marked4", "marked6", "echoed"] as const;
const MARK_ROUNDS = 8;

/** Payload of a datagram in a train: what QUIC starts with. */
const SEGMENT = 1200;
const BURST = 24;
/** Milliseconds without an acknowledgement after which all that is underway counts as lost. */
const PATIENCE = 300;

const KINDS = ["lost", "duplicated", "reordered", "flipped"] as const;

/** Datagrams in a train, at most: one drop at a full queue can cost as many. */
const TRAIN = 64;

/**
 * Runs traffic while the relay works in some way.
 * @returns what came of it, what the relay did, and how many datagrams may have found a queue full meanwhile: on a busy
 * machine they do, it is counted, and no fault
 */
export async function through<T>(
  pair: Pair,
  options: Parameters<Pair["network"]["start"]>[0],
  run: () => Promise<T>,
): Promise<{ result: T; counts: [Counts, Counts]; full: number }> {
  const relay = await pair.network.start(options);
  const before = await fullQueues(pair);
  const started = performance.now();
  const result = await run();
  const seconds = (performance.now() - started) / 1000;
  const counts = await relay.stop();
  const full = ((await fullQueues(pair)) - before + total(counts).overflows) * TRAIN;
  if (process.env.POPLIN_VERBOSE === "1") {
    console.log(JSON.stringify({ seconds: Math.round(seconds * 100) / 100, result, counts, full }));
  }
  expect(total(counts).refused, "datagrams that the relay could not send").toBe(0);
  return { result, counts, full };
}

export function expectIntact({ failures }: CallsResult): void {
  expect(failures).toEqual([]);
}

/** Each kind of fault happened. */
export function expectFaults(counts: readonly Counts[], kinds: readonly (keyof Counts)[] = KINDS): void {
  const all = total(counts);
  for (const kind of kinds) expect(all[kind], kind).toBeGreaterThan(0);
}

/** Nothing was damaged, and `share` of it arrived, but for what may have found a queue `full`. */
function expectDelivery(result: TrainsResult, share: number, full: number): void {
  const { sent, arrived, damaged, strays } = result;
  expect({ damaged, strays }).toEqual({ damaged: 0, strays: 0 });
  expect(arrived + full, JSON.stringify(result)).toBeGreaterThanOrEqual(Math.floor(sent * share));
}

/** What the kernel has dropped at full queues of the poplin nodes, ever. */
async function fullQueues(pair: Pair): Promise<number> {
  const stats = await Promise.all(pair.poplins.map((node) => node.client.stats()));
  return stats.reduce(
    (sum, { drops }) => sum + (drops.tx.FULL_RING ?? 0) + (drops.rx.SOCKET_RCVBUFF ?? 0),
    0,
  );
}

export function stress(one: Combination, volume: Volume): void {
  describeWith([lab(), ipv6(), tool("ethtool")], titleOf(one), () => {
    const { outer, peer } = one;
    let pair: Pair;
    // Its own faults for each combination, and the same in every run.
    let seed = [...titleOf(one)].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) & 0xffffff, 0);

    beforeAll(async () => {
      pair = await Pair.start({ ...one, config: configOf(one) });
      if (peer === "kernel on a veth" && !(await inUse(pair.a))["udp-gro"]) cutTrains(pair.b.host);
      await Promise.all([pair.a, pair.b].map(({ pod }) => serveBoth(pod)));
    });
    afterAll(() => pair?.destroy());
    afterEach(async ({ task }) => {
      if (task.result?.state === "fail") console.error(await report(pair));
    });

    const there = (inner: Family) => podOf(pair.b, inner);
    const back = (inner: Family) => podOf(pair.a, inner);
    const next = () => (seed += 1000);
    /** TCP in `streams` connections, both directions of each at once. */
    const streams = (inner: Family, count: number, bytes: number) =>
      call(pair.a.pod, there(inner), bulk(count, bytes, next()), count);

    for (const inner of [4, 6] as const) {
      const count = inner === outer ? 1 : 4;
      it(`TCP over IPv${inner}, ${count} at a time, nothing in its way`, async () => {
        const { result, counts } = await through(pair, { family: outer, gro: true, gso: true }, () =>
          streams(inner, count, volume.clean),
        );
        expectIntact(result);
        expect(result.bytes).toBeGreaterThanOrEqual(2 * volume.clean - 2 * count);
        expect(total(counts)).toMatchObject({ lost: 0, duplicated: 0, reordered: 0, flipped: 0 });
      });

      it(`TCP over IPv${inner}, ${5 - count} at a time, faults inside trains`, async () => {
        const options = { family: outer, gro: true, gso: true, rates: BAD, seed: next() };
        const { result, counts } = await through(pair, options, () =>
          streams(inner, 5 - count, volume.faulty),
        );
        expectIntact(result);
        expectFaults(counts);
        expect(total(counts).trainsOut).toBeGreaterThan(0);
      });
    }

    it("TCP over both, faults to each datagram by itself", async () => {
      const options = { family: outer, gro: false, gso: false, rates: BAD, seed: next() };
      const { result, counts } = await through(pair, options, () =>
        Promise.all([streams(4, 2, volume.faulty / 2), streams(6, 2, volume.faulty / 2)]),
      );
      for (const each of result) expectIntact(each);
      expectFaults(counts);
      expect(total(counts)).toMatchObject({ trainsIn: 0, trainsOut: 0 });
    });

    it("short connections, faults inside trains", async () => {
      const options = { family: outer, gro: true, gso: true, rates: WORSE, seed: next() };
      const { result, counts } = await through(pair, options, () =>
        Promise.all([
          call(pair.a.pod, there(4), small(volume.connections, next()), 16),
          call(pair.b.pod, back(6), small(volume.connections, next()), 16),
        ]),
      );
      for (const each of result) expectIntact(each);
      expectFaults(counts);
    });

    /** UDP_SEGMENT trains both ways, of both families, to receivers with UDP_GRO and without. */
    const allTrains = () => {
      const options = { count: volume.datagrams, segment: SEGMENT, burst: BURST, patience: PATIENCE };
      return Promise.all([
        trains(pair.a.pod, there(4), { ...options, seed: next(), gro: true }),
        trains(pair.a.pod, there(6), { ...options, seed: next(), gro: false }),
        trains(pair.b.pod, back(4), { ...options, seed: next(), gro: false }),
        trains(pair.b.pod, back(6), { ...options, seed: next(), gro: true }),
      ]);
    };

    it("UDP_SEGMENT, nothing in its way", async () => {
      const quiet = { family: outer, gro: true, gso: true };
      const { result, full } = await through(pair, quiet, () => allTrains());
      for (const each of result) {
        expectDelivery(each, 0.99, full);
        expect(each.duplicates).toBe(0);
      }
    });

    it("UDP_SEGMENT, faults inside trains", async () => {
      const options = { family: outer, gro: true, gso: true, rates: WORSE, seed: next() };
      const { result, counts, full } = await through(pair, options, () => allTrains());
      for (const each of result) expectDelivery(each, 0.9, full);
      expectFaults(counts);
      const sum = (name: "duplicates" | "late") => result.reduce((all, each) => all + each[name], 0);
      expect(sum("duplicates")).toBeGreaterThan(0);
      expect(sum("late")).toBeGreaterThan(0);
    });

    it("congestion marks: they arrive, are echoed, and the sender says once that it has slowed down", async () => {
      const pods = [pair.a.pod, pair.b.pod];
      for (const pod of pods) useEcn(pod);
      const before = await Promise.all(pods.map(ecnCounters));
      let seen = pods.map((): Record<string, number> => ({}));
      const missing = () => seen.some((counts) => MARKED.some((name) => !counts[name]));
      // A kernel's super-frame is one packet here, and one mark: a family may have had none in some hundred of them.
      for (let round = 0; round < MARK_ROUNDS && (round === 0 || missing()); round++) {
        const options = { family: outer, gro: true, gso: true, rates: CONGESTED, seed: next() };
        const { result, counts } = await through(pair, options, () =>
          Promise.all([streams(4, 2, volume.faulty / 2), streams(6, 2, volume.faulty / 2)]),
        );
        for (const each of result) expectIntact(each);
        const now = await Promise.all(pods.map(ecnCounters));
        seen = seen.map((sofar, i) => {
          const pod = (["marked4", "marked6", "echoed"] as const).map((name) => [
            name,
            now[i]![name] - before[i]![name],
          ]);
          const relay = (["marked", "ece", "cwr", "cwrAgain"] as const).map((name) => [
            name,
            counts[i]![name] + (sofar[name] ?? 0),
          ]);
          return Object.fromEntries([...pod, ...relay]);
        });
      }
      for (const counts of seen) {
        for (const name of MARKED) expect(counts[name], name).toBeGreaterThan(0);
        // Of a super-frame only the first segment keeps CWR (RFC 3168 section 6.1.2); two in a row are two windows.
        expect(counts.cwrAgain).toBeLessThanOrEqual(counts.cwr! / 4);
      }
    });

    it("the offloads were in use, and those that were on still are", async () => {
      for (const node of pair.poplins) {
        expect(await inUse(node)).toEqual(expectedOffloads(one));
        const stats = await node.client.stats();
        const on = expectedOffloads(one);
        expect(stats.txSuperFrames > 0, "super-frames cut").toBe(on["tap-tso"] || on["tap-uso"]);
        // What comes from a kernel on a veth is too large to be joined to anything.
        if (peer !== "kernel on a veth") {
          expect(stats.rxCoalesced > 0, "segments joined").toBe(on["tcp-coalesce"] || on["udp-coalesce"]);
        }
        expect({ tx: stats.txGsoFallbacks, rx: stats.rxGsoFallbacks }).toEqual({ tx: 0, rx: 0 });
      }
    });

    // The last one: it takes the overlay device away from the pods.
    it("tagged frames, TCP and UDP_SEGMENT, faults inside trains", async () => {
      const { mtu } = pair.a.options;
      await addVlan(pair);
      await Promise.all([serveBoth(pair.a.host), serveBoth(pair.b.host)]);
      // Whole on the wire with their tag; and four bytes too long for it, so that poplin's underlay has to make
      // fragments, which the kernel's VXLAN does not do over IPv6.
      for (const size of peer === "poplin" ? [mtu - TAG_LENGTH, mtu] : [mtu - TAG_LENGTH]) {
        setVlanMtu(pair, size);
        const options = { family: outer, gro: true, gso: true, rates: BAD, seed: next() };
        const udp = {
          count: volume.datagrams / 2,
          segment: SEGMENT,
          burst: BURST,
          patience: PATIENCE,
          gro: true,
        };
        const before = await taggerDrops(pair);
        const { result, counts, full } = await through(pair, options, async () => {
          const calls = ([4, 6] as const).map((inner) =>
            call(pair.a.host, taggedAddress(1, inner), bulk(2, volume.faulty / 2, next()), 2),
          );
          const sends = [
            trains(pair.a.host, taggedAddress(1, 4), { ...udp, seed: next() }),
            trains(pair.b.host, taggedAddress(0, 6), { ...udp, seed: next() }),
          ];
          return { calls: await Promise.all(calls), sends: await Promise.all(sends) };
        });
        for (const each of result.calls) expectIntact(each);
        const dropped = ((await taggerDrops(pair)) - before) * TRAIN;
        if (process.env.POPLIN_VERBOSE === "1") console.log(`taggers dropped ${dropped / TRAIN}`);
        for (const each of result.sends) expectDelivery(each, 0.97, full + dropped);
        expectFaults(counts);
      }
      // What is too large for the underlay is one flow's matter: nothing has been given up for the others.
      for (const node of pair.poplins) expect(await inUse(node)).toEqual(expectedOffloads(one));
    });
  });
}

/** Which offloads a node uses at this moment. */
async function inUse(node: PoplinNode): Promise<Record<OffloadName, boolean>> {
  const { offloads } = await node.status();
  return Object.fromEntries(OFFLOAD_NAMES.map((name) => [name, offloads[name].on])) as Record<
    OffloadName,
    boolean
  >;
}

/**
 * Makes a kernel node cut a pod's UDP_SEGMENT send itself. On a veth it leaves that to the kernel of a receiver without
 * UDP_GRO, which can tell by the packet's own notes where; the relay has nothing but the bytes.
 */
function cutTrains({ namespace }: Host): void {
  ip(["netns", "exec", namespace, "ethtool", "-K", "eth0", "tx-udp-segmentation", "off"]);
}

/** What the nodes say, for whoever looks at a failure. */
export async function report(pair: Pair | undefined): Promise<string> {
  const lines: string[] = [];
  for (const node of pair?.poplins ?? []) {
    const stats = await node.client.stats().catch((error: Error) => error.message);
    lines.push(`${node.plan.name}: ${JSON.stringify(stats)}`, node.log());
  }
  return lines.join("\n");
}
