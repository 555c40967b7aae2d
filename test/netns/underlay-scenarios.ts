/**
 * What `underlay.test.ts` runs inside a namespace: underlays on a network that is a TAP, so that we see what they put
 * on the wire, and make the kernel refuse or hold back what they send.
 */
import { execFileSync } from "node:child_process";
import { VNET_LENGTH } from "../../src/dataplane/arena.ts";
import type { Underlay } from "../../src/dataplane/ports.ts";
import { DgramUnderlay } from "../../src/io/dgram.ts";
import { BatchUnderlay } from "../../src/io/linux/batch.ts";
import { PLAIN_SOCKET, type UdpSocketOptions } from "../../src/io/linux/shim.ts";
import { LinuxTap, openTap } from "../../src/io/linux/tap.ts";
import { openUdp } from "../../src/io/linux/udp.ts";
import { RawUnderlay } from "../../src/io/raw.ts";
import { checksum, pseudoSumV4, udpChecksum } from "../../src/wire/checksum.ts";
import { decode } from "../../src/wire/decode.ts";
import { IPV4 } from "../../src/wire/ipv4.ts";
import { UDP } from "../../src/wire/udp.ts";
import { slabOf, turn, Wakes } from "../contract/node.ts";
import { packet, Side, serialOf } from "../io/side.ts";

export type Kind = "batch" | "dgram" | "raw";

const NAME = "pop0";
const NEIGHBOUR = "192.0.2.2";
const MAC = "02:00:00:00:00:02";
const SLAB = slabOf({ address: Uint8Array.of(192, 0, 2, 2), port: 8472 });
const HEADERS = 14 + 20 + 8;
const PATIENCE = 10_000;

function ip(...words: string[]): void {
  execFileSync("ip", words);
}

/** The wire: a TAP with our address, on which nobody speaks of his own accord. */
function openWire(): LinuxTap {
  const tap = new LinuxTap(openTap(NAME).fd, NAME);
  ip("link", "set", NAME, "addrgenmode", "none");
  ip("link", "set", NAME, "up");
  ip("address", "add", "192.0.2.1/24", "dev", NAME);
  return tap;
}

function introduceNeighbour(): void {
  ip("neighbour", "replace", NEIGHBOUR, "lladdr", MAC, "dev", NAME);
}

async function open(kind: Kind, overrides: Partial<UdpSocketOptions> = {}): Promise<Underlay> {
  const options: UdpSocketOptions = {
    ...PLAIN_SOCKET,
    family: 4,
    address: "",
    port: 8472,
    ...overrides,
  };
  if (kind === "dgram") return DgramUnderlay.open(options);
  if (kind === "raw") return RawUnderlay.open(options);
  return new BatchUnderlay(openUdp(options), { family: 4, checksum: "computed" });
}

/** Reads `count` IPv4 packets off the wire, and lets the event loop turn meanwhile. */
async function capture(tap: LinuxTap, count: number): Promise<Buffer[]> {
  const side = new Side(64, 2048);
  const packets: Buffer[] = [];
  const until = performance.now() + PATIENCE;
  while (packets.length < count && performance.now() < until) {
    tap.readBatch(side.filled, 64);
    for (const { bytes } of side.drain()) {
      const frame = Buffer.from(bytes.subarray(VNET_LENGTH));
      if (frame.readUInt16BE(12) === 0x0800) packets.push(frame.subarray(14));
    }
    await turn();
  }
  return packets;
}

/** The outer headers of one datagram of 101 bytes, as they were on the wire. */
async function outer(kind: Kind, overrides: Partial<UdpSocketOptions>, word: number) {
  const tap = openWire();
  introduceNeighbour();
  const underlay = await open(kind, overrides);
  const side = new Side();
  side.put(packet(1, 101), { outer: word });
  const sent = underlay.sendBatch(side.ready, SLAB);
  const [bytes] = await capture(tap, 1);
  underlay.close();
  const ipv4 = decode(IPV4, bytes!).values;
  const udp = decode(UDP, bytes!, 20).values;
  const right =
    udp.checksum === 0 ||
    udpChecksum(bytes!, 20, udp.length as number, pseudoSumV4(bytes!, 0, 17, udp.length as number)) ===
      0xffff; // over a right one it is 0, which UDP writes so
  return {
    sent,
    tos: ((ipv4.dscp as number) << 2) | (ipv4.ecn as number),
    ttl: ipv4.ttl,
    df: ipv4.dontFragment,
    identified: ipv4.identification !== 0,
    source: Array.from(bytes!.subarray(12, 16)).join("."),
    lengths: [ipv4.totalLength, udp.length, bytes!.length],
    headerChecksum: checksum(bytes!, 0, 20) === 0,
    ports: [udp.sourcePort, udp.destinationPort],
    checksum: udp.checksum === 0 ? "zero" : right ? "computed" : "wrong",
    intact: Buffer.compare(bytes!.subarray(28), packet(1, 101)) === 0,
  };
}

const FLOW = 0xb9 | (50_001 << 16);

export const rawStandard = () => outer("raw", {}, 0);
export const rawAsAsked = () => outer("raw", { address: "192.0.2.1", ttl: 7, dontFragment: true }, FLOW);
export const dgramStandard = () => outer("dgram", {}, FLOW);
export const dgramTtl = () => outer("dgram", { ttl: 7 }, 0);

/** Datagrams around and beyond the MTU of 1500. */
async function beyondMtu(kind: Kind) {
  const tap = openWire();
  introduceNeighbour();
  const underlay = await open(kind);
  const side = new Side(8, 4096);
  const answers: number[] = [];
  for (const length of [1472, 1473, 3000, 100]) {
    side.put(packet(length, length));
    const answer = underlay.sendBatch(side.ready, SLAB);
    answers.push(answer);
    if (answer < 0) side.ready.complete(1);
  }
  const seen = (await capture(tap, kind === "raw" ? 2 : 7)).map((bytes) => {
    const { totalLength, dontFragment, moreFragments, fragmentOffset } = decode(IPV4, bytes).values;
    return { totalLength, dontFragment, moreFragments, fragmentOffset };
  });
  underlay.close();
  return { answers, seen, inUse: side.inUse };
}

export const rawBeyondMtu = () => beyondMtu("raw");
export const dgramBeyondMtu = () => beyondMtu("dgram");

/**
 * A send buffer that fills because the neighbour does not answer ARP: the kernel keeps packets for it, on the socket's
 * account. Then the neighbour is found, and the rest may go.
 */
async function blocked(kind: Kind) {
  const tap = openWire();
  const underlay = await open(kind, { sendBuffer: 20_000 });
  const side = new Side(600, 1500);
  for (let i = 0; i < 600; i++) side.put(packet(i, 1400));
  const { ready } = side;
  const wakes = new Wakes();
  underlay.setWake(() => {
    wakes.wake();
    underlay.sendBatch(ready, SLAB);
    underlay.setInterest(false, ready.length > 0);
  });
  const taken = underlay.sendBatch(ready, SLAB);
  await new Promise((resolve) => setTimeout(resolve, 50));
  const then = underlay.sendBatch(ready, SLAB);
  const held = [ready.length, side.inUse];
  underlay.setInterest(false, true);
  await new Promise((resolve) => setTimeout(resolve, 50));
  const early = wakes.count;
  introduceNeighbour();
  const got = await capture(tap, 600);
  const inOrder = got.every((bytes, i) => serialOf(bytes, 28) === i && bytes.length === 1428);
  const late = await wakes.during();
  underlay.close();
  return {
    taken,
    then,
    held,
    early,
    woken: wakes.count > early,
    got: got.length,
    inOrder,
    late,
    inUse: side.inUse,
  };
}

export const batchBlocked = () => blocked("batch");
export const dgramBlocked = () => blocked("dgram");
export const rawBlocked = () => blocked("raw");

/** A destination that there is no route to. */
async function unreachable(kind: Kind) {
  const tap = openWire();
  introduceNeighbour();
  const underlay = await open(kind);
  const slab = Uint8Array.from([...slabOf({ address: Uint8Array.of(203, 0, 113, 1), port: 8472 }), ...SLAB]);
  const side = new Side();
  for (const peer of [0, 1]) side.put(packet(peer), { peer });
  const first = underlay.sendBatch(side.ready, slab);
  if (first < 0) {
    side.ready.complete(1);
    underlay.sendBatch(side.ready, slab);
  }
  const seen = (await capture(tap, 1)).map((bytes) => serialOf(bytes, HEADERS - 14));
  const later = underlay instanceof DgramUnderlay ? [underlay.asyncErrors, underlay.lastAsyncErrno] : null;
  underlay.close();
  return { first, seen, later };
}

export const batchUnreachable = () => unreachable("batch");
export const dgramUnreachable = () => unreachable("dgram");
export const rawUnreachable = () => unreachable("raw");
