/** What `shim.test.ts` runs inside a namespace. Each function returns plain data for the test to look at. */
import { execFileSync, spawnSync } from "node:child_process";
import { createSocket } from "node:dgram";
import { Arena, FRAME_AT, VNET_AT, VNET_LENGTH } from "../../src/dataplane/arena.ts";
import {
  DONT_FRAGMENT,
  HEAD_LENGTH,
  HEAD_OFFSET,
  LENGTH,
  OFFSET,
  OUTER,
  PEER,
  Ring,
  SLOT,
  TTL_SHIFT,
} from "../../src/dataplane/ring.ts";
import { BatchUnderlay } from "../../src/io/linux/batch.ts";
import { openSenders, openTwins } from "../../src/io/linux/senders.ts";
import { loadShim, PLAIN_SOCKET, POLLIN, type UdpSocketOptions } from "../../src/io/linux/shim.ts";
import { LinuxTap, openTap } from "../../src/io/linux/tap.ts";
import { openUdp } from "../../src/io/linux/udp.ts";
import { LinuxWaiter } from "../../src/io/linux/waiter.ts";

const NAME = "pop0";
const TUN_F_CSUM = 1;

export interface Failure {
  readonly name: string;
  readonly code: string;
  readonly errnoName: string;
  readonly message: string;
}

function ip(...words: string[]): string {
  return execFileSync("ip", words, { encoding: "utf8" });
}

function failureOf(run: () => unknown): Failure | null {
  try {
    run();
    return null;
  } catch (error) {
    const { name, code, errnoName, message } = error as Failure;
    return { name, code, errnoName, message };
  }
}

function makeRing(): Ring {
  return new Ring(new Arena(1 << 20).carvePool(8192, 64), 64);
}

/** Gives the TAP addresses and a neighbour, without a word of IPv6 autoconfiguration. */
function configure(name: string): void {
  ip("link", "set", name, "addrgenmode", "none");
  ip("link", "set", name, "up");
  ip("address", "add", "192.0.2.1/24", "dev", name);
  ip("address", "add", "2001:db8::1/64", "dev", name, "nodad");
  ip("neighbour", "add", "192.0.2.2", "lladdr", "02:00:00:00:00:02", "dev", name);
  ip("neighbour", "add", "2001:db8::2", "lladdr", "02:00:00:00:00:02", "dev", name);
}

/** Waits for frames and returns the first that `wanted` likes, as (vnet header, frame, where the vnet header was). */
function readFrame(tap: LinuxTap, ring: Ring, wanted: (frame: Buffer) => boolean) {
  const set = Int32Array.of(tap.fd, POLLIN, 0);
  for (let tries = 0; tries < 50; tries++) {
    loadShim().poll(set, 100);
    tap.readBatch(ring, 8);
    while (ring.length > 0) {
      const at = ring.row(ring.tail);
      const offset = ring.words[at + OFFSET]!;
      const bytes = Buffer.from(ring.bytes.slice(offset, offset + ring.words[at + LENGTH]!));
      const place = offset - ring.words[at + SLOT]!;
      ring.complete(1);
      const frame = bytes.subarray(VNET_LENGTH);
      if (wanted(frame)) return { vnet: bytes.subarray(0, VNET_LENGTH), frame, place };
    }
  }
  throw new Error("no such frame came");
}

function isUdp(frame: Buffer): boolean {
  const type = frame.readUInt16BE(12);
  return (type === 0x0800 && frame[23] === 17) || (type === 0x86dd && frame[20] === 17);
}

async function sendUdp(to: string, payload: Uint8Array): Promise<void> {
  const socket = createSocket("udp4");
  await new Promise((resolve) => socket.send(payload, 4242, to, resolve));
  socket.close();
}

/** The ones' complement sum of some bytes: 0xffff over a header whose checksum is right. */
function sum(bytes: Uint8Array, initial = 0): number {
  let total = initial;
  for (let i = 0; i < bytes.length; i += 2) total += (bytes[i]! << 8) | (bytes[i + 1] ?? 0);
  while (total > 0xffff) total = (total & 0xffff) + (total >>> 16);
  return total;
}

/** A frame that the kernel sends out of the device. */
export async function reading() {
  const tap = new LinuxTap(openTap(NAME).fd, NAME);
  configure(NAME);
  await sendUdp("192.0.2.2", Buffer.from("hello"));
  const { vnet, frame, place } = readFrame(tap, makeRing(), isUdp);
  return {
    place,
    vnet: vnet.toString("hex"),
    destination: frame.subarray(0, 6).toString("hex"),
    payload: frame.subarray(42).toString(),
    none: tap.readBatch(makeRing(), 8),
  };
}

/** Offloads that a former owner left on. */
export async function offloads() {
  const shim = loadShim();
  const former = shim.tapOpen(NAME, 0x5102, VNET_LENGTH, TUN_F_CSUM);
  shim.tapPersist(former.fd, true);
  configure(NAME);
  await sendUdp("192.0.2.2", Buffer.from("former"));
  const before = readFrame(new LinuxTap(former.fd, NAME), makeRing(), isUdp);
  shim.close(former.fd);
  const tap = new LinuxTap(openTap(NAME).fd, NAME);
  await sendUdp("192.0.2.2", Buffer.from("now"));
  const after = readFrame(tap, makeRing(), isUdp);
  const udp = after.frame.subarray(34);
  const pseudo = sum(after.frame.subarray(26, 34), 17 + udp.length);
  return { before: before.vnet[0], after: after.vnet[0], checksum: sum(udp, pseudo) };
}

/** A TCP super-frame of three segments, without SYN or ACK: its RST acknowledges every byte of it. */
export function superFrame() {
  const tap = new LinuxTap(openTap(NAME).fd, NAME);
  configure(NAME);
  const mac = Buffer.from(
    JSON.parse(ip("-json", "link", "show", NAME))[0].address.replaceAll(":", ""),
    "hex",
  );
  const payload = 3000;
  const frame = Buffer.alloc(54 + payload);
  mac.copy(frame, 0);
  frame.set([0x02, 0, 0, 0, 0, 2], 6);
  frame.writeUInt16BE(0x0800, 12);
  frame.set([0x45, 0, 0, 0, 0, 1, 0, 0, 64, 6, 0, 0, 192, 0, 2, 2, 192, 0, 2, 1], 14);
  frame.writeUInt16BE(40 + payload, 16);
  frame.writeUInt16BE(~sum(frame.subarray(14, 34)) & 0xffff, 24);
  frame.writeUInt16BE(1111, 34);
  frame.writeUInt16BE(2222, 36);
  frame.writeUInt32BE(1_000_000, 38);
  frame.set([0x50, 0x08, 0xff, 0xff], 46);
  frame.writeUInt16BE(sum(frame.subarray(26, 34), 6 + 20 + payload), 50);

  const ring = makeRing();
  const slot = ring.pool.take();
  const vnet = Buffer.alloc(VNET_LENGTH);
  vnet[0] = 1; // VIRTIO_NET_HDR_F_NEEDS_CSUM
  vnet[1] = 1; // VIRTIO_NET_HDR_GSO_TCPV4
  new Uint16Array(vnet.buffer, vnet.byteOffset + 2, 4).set([54, 1000, 34, 16]);
  const header = ring.pool.take();
  ring.bytes.set(vnet, header);
  ring.bytes.set(frame, slot + FRAME_AT);
  const at = ring.push(slot, slot + FRAME_AT, frame.length);
  ring.words[at + HEAD_OFFSET] = header;
  ring.words[at + HEAD_LENGTH] = VNET_LENGTH;
  const written = tap.writeBatch(ring);
  const answer = readFrame(tap, makeRing(), (f) => f.readUInt16BE(12) === 0x0800 && f[23] === 6).frame;
  return { written, left: ring.length, flags: answer[47], acknowledged: answer.readUInt32BE(42) };
}

/** Writing to a device that is down, and with a vnet header that is none. */
export function refusedWrites() {
  const tap = new LinuxTap(openTap(NAME).fd, NAME);
  const ring = makeRing();
  const slot = ring.pool.take();
  ring.push(slot, slot + VNET_AT, VNET_LENGTH + 60);
  const down = tap.writeBatch(ring);
  configure(NAME);
  ring.bytes[slot + VNET_AT + 1] = 0x7f;
  const malformed = tap.writeBatch(ring);
  return { down, malformed, left: ring.length };
}

/** A device that outlives its descriptor, and what it keeps. */
export function persistence() {
  const shim = loadShim();
  const first = openTap(NAME);
  shim.tapPersist(first.fd, true);
  configure(NAME);
  shim.close(first.fd);
  const between = ip("-brief", "address", "show", NAME);
  const second = openTap(NAME);
  const queues = [openTap(NAME), openTap(NAME)];
  shim.tapPersist(second.fd, false);
  for (const { fd } of [second, ...queues]) shim.close(fd);
  const gone = spawnSync("ip", ["link", "show", NAME]).status;
  return { existed: [first.existed, second.existed], between, gone };
}

/** Opens the TAP and keeps it until it is killed. */
export function hold() {
  openTap(NAME);
  process.stdout.write(`${process.pid}\n`);
  return new Promise(() => setInterval(() => {}, 1000));
}

export function openBesideHolder() {
  return failureOf(() => openTap(NAME));
}

/** What a child sees of our descriptors. */
export function child() {
  openTap(NAME);
  openUdp(udp());
  const ours = execFileSync("ls", ["-l", `/proc/${process.pid}/fd`], { encoding: "utf8" });
  const its = spawnSync("sh", ["-c", "ls -l /proc/$$/fd"], { encoding: "utf8" }).stdout;
  const tuns = (text: string) => text.split("/dev/net/tun").length - 1;
  return { ours: tuns(ours), its: tuns(its) };
}

/** Devices of the name that are not what we make. */
export function mismatch() {
  ip("tuntap", "add", NAME, "mode", "tap");
  const singleQueue = failureOf(() => openTap(NAME));
  ip("link", "del", NAME);
  ip("tuntap", "add", NAME, "mode", "tun", "multi_queue");
  const tun = failureOf(() => openTap(NAME));
  ip("link", "del", NAME);
  ip("link", "add", NAME, "type", "bridge");
  const bridge = failureOf(() => openTap(NAME));
  ip("link", "del", NAME);
  return { singleQueue, tun, bridge, recreated: openTap(NAME).existed };
}

export function names() {
  return { slash: failureOf(() => openTap("a/b")), long: failureOf(() => openTap("a123456789012345")) };
}

/** The ways in which /dev/net/tun is not there for us. Mounts a /dev/net of its own. */
export function driver() {
  execFileSync("mount", ["-t", "tmpfs", "none", "/dev/net"]);
  const absent = failureOf(() => openTap(NAME));
  execFileSync("mknod", ["/dev/net/tun", "c", "10", "254"]); // a misc minor that nobody has
  const dead = failureOf(() => openTap(NAME));
  execFileSync("rm", ["/dev/net/tun"]);
  execFileSync("mknod", ["-m", "600", "/dev/net/tun", "c", "10", "200"]);
  execFileSync("chmod", ["755", "/dev/net"]);
  process.setegid!(65534);
  process.seteuid!(65534);
  const closed = failureOf(() => openTap(NAME));
  process.seteuid!(0);
  execFileSync("chmod", ["666", "/dev/net/tun"]);
  process.seteuid!(65534);
  const powerless = failureOf(() => openTap(NAME));
  const { warnings } = openUdp({ ...udp(), receiveBuffer: 1 << 28, sendBuffer: 1 << 28 });
  return { absent, dead, closed, powerless, warnings };
}

/** A port of a kernel VXLAN device: while the device is down, and while it is up. */
export function vxlanPort() {
  const open = (port: number) => failureOf(() => loadShim().close(openUdp(udp({ address: "", port })).fd));
  ip("link", "add", "vx.test", "type", "vxlan", "id", "1", "dstport", "8472", "dev", "lo");
  const down = open(8472);
  ip("link", "set", "vx.test", "up");
  const up = open(8472);
  return { down, up };
}

/** A TAP that is deleted under us: by the poll of the blocking driver, and by the event loop. */
export async function deleted() {
  const shim = loadShim();
  const tap = new LinuxTap(openTap(NAME).fd, NAME);
  const wake = shim.eventOpen();
  const waiter = new LinuxWaiter(tap.fd, { fd: -1 }, wake);
  let wakes = 0;
  tap.setWake(() => wakes++);
  tap.setInterest(true, false);
  ip("link", "del", NAME);
  await new Promise((resolve) => setTimeout(resolve, 50));
  const once = wakes;
  tap.setInterest(true, false); // as after a call that took an error away
  await new Promise((resolve) => setTimeout(resolve, 50));
  const start = performance.now();
  waiter.wait(true, false, false, false, 30_000);
  const wanted = performance.now() - start;
  waiter.wait(false, false, false, false, 50);
  const unwanted = performance.now() - start - wanted;
  const read = tap.readBatch(makeRing(), 8);
  tap.close();
  tap.close();
  return { wakes: [once, wakes], wanted, unwanted, read };
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

function udp(overrides: Partial<UdpSocketOptions> = {}): UdpSocketOptions {
  return { ...PLAIN_SOCKET, family: 4, address: "127.0.0.1", ...overrides };
}
