/** What `socket.test.ts` runs inside a namespace: the underlay's socket, and what the kernel makes of its packets. */
import { VNET_AT } from "../../src/dataplane/arena.ts";
import { DONT_FRAGMENT, OUTER, PEER, TTL_SHIFT } from "../../src/dataplane/ring.ts";
import { BatchUnderlay } from "../../src/io/linux/batch.ts";
import { openSenders, openTwins } from "../../src/io/linux/senders.ts";
import { loadShim, type UdpSocketOptions } from "../../src/io/linux/shim.ts";
import { LinuxTap, openTap } from "../../src/io/linux/tap.ts";
import { openUdp } from "../../src/io/linux/udp.ts";
import { configure, failureOf, ip, isUdp, makeRing, NAME, readFrame, udp } from "./shim-side.ts";

/** A port of a kernel VXLAN device: while the device is down, and while it is up. */
export function vxlanPort() {
  const open = (port: number) => failureOf(() => loadShim().close(openUdp(udp({ address: "", port })).fd));
  ip("link", "add", "vx.test", "type", "vxlan", "id", "1", "dstport", "8472", "dev", "lo");
  const down = open(8472);
  ip("link", "set", "vx.test", "up");
  const up = open(8472);
  return { down, up };
}

/** The outer header as the kernel builds it for us, read from the far end of a TAP. */
export function outerHeaders() {
  const tap = new LinuxTap(openTap(NAME).fd, NAME);
  configure(NAME);
  return {
    default4: outer(tap, { family: 4, address: "" }, 0),
    set4: outer(tap, { family: 4, address: "", ttl: 7, dontFragment: true, noCheck: true }, 0xb9),
    default6: outer(tap, { family: 6, address: "" }, 0),
    set6: outer(tap, { family: 6, address: "", ttl: 7, dontFragment: true, noCheck: true }, 0xb9),
  };
}

/** TTL, flow label and DF of what asks for them itself, and of what goes to a group. */
export function outerOfRows() {
  const tap = new LinuxTap(openTap(NAME).fd, NAME);
  configure(NAME);
  ip("route", "add", "239.0.0.0/8", "dev", NAME);
  ip("-6", "route", "add", "multicast", "ff05::/16", "dev", NAME, "table", "local");
  const of = (family: 4 | 6, options: Partial<UdpSocketOptions>, row: Row = {}) => {
    const header = outer(tap, { family, address: "", ...options }, 0, row);
    return { ttl: header.ttl, ...("label" in header && { label: header.label }) };
  };
  const group = { to: GROUP };
  return {
    row4: of(4, { ttl: 7 }, { ttl: 200 }),
    row6: of(6, { ttl: 7 }, { ttl: 200 }),
    label: of(6, { flowLabel: 0xabcde }, { flowLabel: 0xabcde }),
    group4: [of(4, {}, group), of(4, { ttl: 7 }, group), of(4, { ttl: 7, multicastTtl: 9 }, group)],
    groupRow4: of(4, {}, { ...group, ttl: 200 }),
    group6: [of(6, {}, group), of(6, { ttl: 7 }, group), of(6, { ttl: 7, multicastTtl: 9 }, group)],
    groupRow6: of(6, {}, { ...group, ttl: 200 }),
  };
}

/** What a row may ask for. */
interface Row {
  readonly ttl?: number;
  readonly flowLabel?: number;
  readonly to?: Readonly<Record<4 | 6, Uint8Array>>;
}

const GROUP = {
  4: Uint8Array.of(239, 1, 2, 3),
  6: Uint8Array.of(0xff, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9),
} as const;

/** A sender on a port, with a twin on the same that sets DF: who asks for which gets it, from that port. */
export function twins() {
  const tap = new LinuxTap(openTap(NAME).fd, NAME);
  configure(NAME);
  const options = udp({ family: 4, address: "" });
  const socket = openUdp(options);
  const senders = openSenders(options, { first: 50_000, last: 50_999 }, 2);
  const dfSenders = openTwins(options, senders);
  const underlay = new BatchUnderlay(socket, { family: 4, checksum: "computed", senders, dfSenders });
  const ring = makeRing();
  const seen = [0, DONT_FRAGMENT].flatMap((df) =>
    senders.map(({ port }) => {
      const slot = ring.pool.take();
      const at = ring.push(slot, slot + VNET_AT, 100);
      ring.words[at + PEER] = 1;
      ring.words[at + OUTER] = (port << 16) | df;
      underlay.sendBatch(ring, slab(4));
      const { frame } = readFrame(tap, ring, isUdp);
      return { port: frame.readUInt16BE(34) === port, df: (frame[20]! & 0x40) !== 0 };
    }),
  );
  underlay.close();
  return seen;
}

function outer(tap: LinuxTap, options: Partial<UdpSocketOptions>, tos: number, row: Row = {}) {
  const family = options.family!;
  const socket = openUdp(udp(options));
  const underlay = new BatchUnderlay(socket, { family, checksum: options.noCheck ? "zero" : "computed" });
  const ring = makeRing();
  const slot = ring.pool.take();
  const at = ring.push(slot, slot + VNET_AT, 100);
  ring.words[at + PEER] = 1 | ((row.ttl ?? 0) << TTL_SHIFT);
  ring.words[at + OUTER] = tos;
  const sent = underlay.sendBatch(ring, slab(family, row));
  const { frame } = readFrame(tap, ring, isUdp);
  underlay.close();
  const udpAt = family === 4 ? 34 : 54;
  const shared = {
    sent,
    length: frame.length - udpAt - 8,
    ports: [frame.readUInt16BE(udpAt) === socket.port, frame.readUInt16BE(udpAt + 2)],
    zeroChecksum: frame.readUInt16BE(udpAt + 6) === 0,
  };
  if (family === 6) {
    const label = frame.readUInt32BE(14) & 0xfffff;
    return { ...shared, tos: (frame.readUInt16BE(14) >> 4) & 0xff, ttl: frame[21], label };
  }
  return { ...shared, tos: frame[15], ttl: frame[22], df: (frame[20]! & 0x40) !== 0 };
}

/** Row 1 is the TAP's neighbour, or whom the row asks for, port 8472. */
function slab(family: 4 | 6, { to, flowLabel = 0 }: Row = {}): Uint8Array {
  const rows = new Uint8Array(56);
  const row = Buffer.from(rows.buffer, 28);
  new Uint16Array(rows.buffer, 28, 1)[0] = family === 4 ? 2 : 10;
  row.writeUInt16BE(8472, 2);
  if (family === 4) row.set([192, 0, 2, 2], 4);
  else row.set([0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2], 8);
  if (to !== undefined) row.set(to[family], family === 4 ? 4 : 8);
  if (family === 6) row.writeUInt32BE(flowLabel, 4);
  return rows;
}
