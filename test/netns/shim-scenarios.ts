/** What `shim.test.ts` runs inside a namespace. Each function returns plain data for the test to look at. */
import { execFileSync, spawnSync } from "node:child_process";
import { createSocket } from "node:dgram";
import { FRAME_AT, VNET_AT, VNET_LENGTH } from "../../src/dataplane/arena.ts";
import { HEAD_LENGTH, HEAD_OFFSET } from "../../src/dataplane/ring.ts";
import { loadShim } from "../../src/io/linux/shim.ts";
import { LinuxTap, openTap } from "../../src/io/linux/tap.ts";
import { openUdp } from "../../src/io/linux/udp.ts";
import { LinuxWaiter } from "../../src/io/linux/waiter.ts";
import { configure, failureOf, ip, isUdp, makeRing, NAME, readFrame, udp } from "./shim-side.ts";

const TUN_F_CSUM = 1;

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
  let none: number;
  // The kernel's own (MLD reports for the address) come when they like.
  do none = tap.readBatch(makeRing(), 8);
  while (none > 0);
  return {
    place,
    vnet: vnet.toString("hex"),
    destination: frame.subarray(0, 6).toString("hex"),
    payload: frame.subarray(42).toString(),
    none,
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
