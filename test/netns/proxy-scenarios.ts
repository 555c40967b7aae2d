/**
 * What the kernel's VXLAN device with the option `proxy` answers, run inside a namespace:
 *
 *   our TAP ── bridge ── VXLAN device, which has the neighbours and leads nowhere
 */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { FRAME_AT, VNET_LENGTH } from "../../src/dataplane/arena.ts";
import { LinuxTap, openTap } from "../../src/io/linux/tap.ts";
import { hex } from "../../src/wire/bytes.ts";
import { OWNER, OWNER_MAC } from "../dataplane/questions.ts";
import { Side } from "../io/side.ts";
import { OTHERS, PROBE, QUESTIONS } from "./proxy-questions.ts";

const [TAP, DEVICE, BRIDGE] = ["pop0", "vx0", "br0"] as const;
const PATIENCE = 300;

function ip(line: string): void {
  execFileSync("ip", line.split(" "));
}

function setUp(): LinuxTap {
  const tap = new LinuxTap(openTap(TAP).fd, TAP);
  ip(`link add ${BRIDGE} type bridge mcast_snooping 0`);
  ip(`link add ${DEVICE} type vxlan id 1 dstport 8472 nolearning proxy l2miss l3miss dev lo`);
  for (const name of [TAP, BRIDGE, DEVICE]) ip(`link set ${name} addrgenmode none`);
  for (const name of [TAP, DEVICE]) ip(`link set ${name} master ${BRIDGE} up`);
  ip(`link set ${BRIDGE} up`);
  for (const address of ["10.99.0.5", "fd99::5"]) {
    ip(`neigh replace ${address} lladdr ${OWNER_MAC} dev ${DEVICE} nud permanent`);
  }
  return tap;
}

function inject(tap: LinuxTap, side: Side, frame: Uint8Array): void {
  const bytes = new Uint8Array(VNET_LENGTH + frame.length);
  bytes.set(frame, VNET_LENGTH);
  side.put(bytes, { head: VNET_LENGTH, at: FRAME_AT });
  if (tap.writeBatch(side.ready) !== 1) throw new Error("the TAP took nothing");
}

/** @returns for each question the answer in hexadecimal, null where none came; "probe" for that of `PROBE` */
export async function answers(): Promise<Record<string, string | null>> {
  const tap = setUp();
  const side = new Side();
  const results: Record<string, string | null> = {};
  for (const [name, question] of [...Object.entries(QUESTIONS), ["probe", PROBE] as const]) {
    inject(tap, side, question);
    results[name] = null;
    for (const end = performance.now() + PATIENCE; performance.now() < end && results[name] === null; ) {
      await new Promise((resolve) => setTimeout(resolve, 2));
      tap.readBatch(side.filled, 64);
      for (const { bytes: read } of side.drain()) {
        const frame = hex(read, VNET_LENGTH);
        // The bridge and the device have things of their own to say.
        if (frame.slice(12, 24) === OWNER && frame.slice(0, 12) !== "ffffffffffff") results[name] = frame;
      }
    }
  }
  tap.close();
  return results;
}

/** A neighbour whose appearance ends the wait for what was told before. */
const MARK = "10.99.0.254";

/** @returns what the kernel tells of the same questions and of frames to nowhere, as `ip monitor` prints it */
export async function misses(): Promise<string> {
  const tap = setUp();
  const side = new Side();
  const monitor = spawn("ip", ["monitor", "neigh"], { stdio: ["ignore", "pipe", "inherit"] });
  let told = "";
  monitor.stdout.setEncoding("utf8").on("data", (text: string) => {
    told += text;
  });
  const mark = async (mac: string): Promise<void> => {
    while (!told.includes(mac)) {
      ip(`neigh replace ${MARK} lladdr ${mac} dev ${DEVICE} nud permanent`);
      await new Promise((resolve) => setTimeout(resolve, 20));
      ip(`neigh del ${MARK} dev ${DEVICE}`);
    }
  };
  await mark("02:00:00:00:fe:01"); // it listens now
  for (const frame of [...Object.values(QUESTIONS), ...OTHERS]) inject(tap, side, frame);
  await mark("02:00:00:00:fe:02");
  monitor.kill();
  await once(monitor, "close");
  tap.close();
  return told;
}
