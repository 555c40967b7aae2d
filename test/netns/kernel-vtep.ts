/**
 * A kernel's VTEP whose uplink is a TAP of ours, for scenarios: what we write to that arrives at it at once, in our own
 * process, and the kernel says what became of it: a frame came out of the VXLAN device, or the tracepoint `skb:kfree_skb`
 * names the reason (`enum skb_drop_reason`).
 */
import { execFileSync } from "node:child_process";
import {
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { VNET_LENGTH } from "../../src/dataplane/arena.ts";
import { openTap } from "../../src/io/linux/tap.ts";
import type { Receiver } from "../../src/teach/judge/judgement.ts";
import { ip } from "./shim-side.ts";

const UPLINK = "wire0";
const DEVICE = "vxlan1";
const TRACING = "/sys/kernel/tracing";

/**
 * What the kernel did: null for a frame that came out of the tunnel, else the reasons of all that it dropped meanwhile, which
 * may be answers of its own, too.
 */
export type KernelVerdict = null | readonly string[];

/** What the examples are for: node B of the study. */
export const NODE_B = {
  underlayMac: "02:42:ac:13:00:03",
  mac: "3e:0b:61:77:6d:02",
  addresses: ["172.19.0.3", "fd00:172:19::3"],
} as const;

/** A trace is the machine's, not the namespace's: it has the name of who runs the scenario, who removes it. */
function traceOf(pid: number): string {
  return `poplin-${pid}`;
}

/** To be called by who runs scenarios, after each. */
export function removeTrace(): void {
  const script = `mount -t tracefs tracefs ${TRACING} && rmdir ${TRACING}/instances/${traceOf(process.pid)}`;
  execFileSync("unshare", ["--mount", "sh", "-c", script]);
}

export class KernelVtep {
  readonly #tap: number;
  readonly #trace: string;
  readonly #pipe: number;
  readonly #buffer = Buffer.alloc(16_384);

  /** To be made once in a namespace. */
  constructor() {
    this.#tap = openTap(UPLINK).fd;
    ip("link", "set", UPLINK, "address", NODE_B.underlayMac, "addrgenmode", "none");
    ip("link", "set", UPLINK, "up");
    ip("address", "add", `${NODE_B.addresses[0]}/16`, "dev", UPLINK);
    ip("address", "add", `${NODE_B.addresses[1]}/64`, "dev", UPLINK, "nodad");
    execFileSync("mount", ["-t", "tracefs", "tracefs", TRACING]);
    this.#trace = `${TRACING}/instances/${traceOf(process.ppid)}`;
    mkdirSync(this.#trace);
    writeFileSync(`${this.#trace}/set_event_pid`, String(process.pid));
    writeFileSync(`${this.#trace}/events/skb/kfree_skb/enable`, "1");
    this.#pipe = openSync(`${this.#trace}/trace_pipe`, constants.O_RDONLY | constants.O_NONBLOCK);
  }

  /** Makes the VXLAN device anew, as the receiver says. */
  become({ vni, port, learning, gbp }: Receiver, family: 4 | 6): void {
    if (existsSync(`/sys/class/net/${DEVICE}`)) ip("link", "del", DEVICE);
    const local = NODE_B.addresses[family === 4 ? 0 : 1];
    const options = [learning ? "learning" : "nolearning", ...(gbp ? ["gbp"] : [])];
    ip(
      ...["link", "add", DEVICE, "type", "vxlan", "id", String(vni), "dstport", String(port)],
      "local",
      local,
      ...options,
    );
    ip("link", "set", DEVICE, "address", NODE_B.mac, "addrgenmode", "none");
    ip("link", "set", DEVICE, "up");
  }

  /** A frame comes in at the uplink. It has at least an Ethernet header. */
  receive(frame: Uint8Array): KernelVerdict {
    this.#told(); // of what was dropped when the device was made anew
    const before = this.#received();
    writeSync(this.#tap, Buffer.concat([new Uint8Array(VNET_LENGTH), frame]));
    const told = this.#told();
    // Its answers (ICMP, ARP) would fill the queue.
    while (this.#read(this.#tap) !== null);
    if (this.#received() > before) return null;
    return [...told.matchAll(/ reason: (\S+)/g)].map((found) => found[1]!);
  }

  /** What the tracepoint has told since the last call. */
  #told(): string {
    let text = "";
    for (let chunk = this.#read(this.#pipe); chunk !== null; chunk = this.#read(this.#pipe)) text += chunk;
    return text;
  }

  /** What there is to read; null where there is nothing. */
  #read(fd: number): string | null {
    try {
      const length = readSync(fd, this.#buffer);
      return length === 0 ? null : this.#buffer.toString("latin1", 0, length);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
      return null;
    }
  }

  #received(): number {
    return Number(readFileSync(`/sys/class/net/${DEVICE}/statistics/rx_packets`, "utf8"));
  }
}
