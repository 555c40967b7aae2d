/** A kernel's VTEP behind a TAP of ours: what we write to that arrives at it, and the kernel says what became of it. */
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, rmdirSync, writeFileSync, writeSync } from "node:fs";
import { VNET_LENGTH } from "../../src/dataplane/arena.ts";
import { openTap } from "../../src/io/linux/tap.ts";
import { explain } from "../../src/teach/explanation.ts";
import { EXAMPLES } from "../../src/teach/examples.ts";
import { judge, receiverOf } from "../../src/teach/judge/judge.ts";
import { hex } from "../../src/wire/index.ts";
import { ip } from "./shim-side.ts";

const UPLINK = "wire0";
const DEVICE = "vxlan1";
const TRACING = "/sys/kernel/tracing";

function stats(): number[] {
  return ["rx_packets", "rx_errors", "rx_frame_errors", "rx_length_errors", "rx_dropped"].map((name) =>
    Number(readFileSync(`/sys/class/net/${DEVICE}/statistics/${name}`, "utf8")),
  );
}

export function tryIt() {
  const tap = openTap(UPLINK);
  ip("link", "set", UPLINK, "address", "02:42:ac:13:00:03", "addrgenmode", "none");
  ip("link", "set", UPLINK, "up");
  ip("address", "add", "172.19.0.3/16", "dev", UPLINK);
  ip("address", "add", "fd00:172:19::3/64", "dev", UPLINK, "nodad");
  ip(..."link add vxlan1 type vxlan id 1 dstport 8472 local 172.19.0.3 nolearning".split(" "));
  ip("link", "set", DEVICE, "address", "3e:0b:61:77:6d:02", "addrgenmode", "none");
  ip("link", "set", DEVICE, "up");
  execFileSync("mount", ["-t", "tracefs", "tracefs", TRACING]);
  const instance = `${TRACING}/instances/poplin-${process.pid}`;
  mkdirSync(instance);
  const out: unknown[] = [];
  try {
    writeFileSync(`${instance}/set_event_pid`, String(process.pid));
    writeFileSync(`${instance}/events/skb/kfree_skb/enable`, "1");
    const base = EXAMPLES.ping.bytes;
    const receiver = { ...receiverOf(explain(base)), mac: "3e:0b:61:77:6d:02", underlayMac: "02:42:ac:13:00:03", addresses: ["172.19.0.3", "fd00:172:19::3"] };
    const send = (frame: Uint8Array) => {
      writeFileSync(`${instance}/trace`, "");
      const before = stats();
      writeSync(tap.fd, Buffer.concat([new Uint8Array(VNET_LENGTH), frame]));
      const after = stats();
      const events = [...readFileSync(`${instance}/trace`, "utf8").matchAll(/location=(\S+) reason: (\S+)/g)].map(
        (m) => `${m[1]} ${m[2]}`,
      );
      return { change: after.map((v, i) => v - before[i]!), events };
    };
    out.push(send(base));
    for (let bit = 0; bit < 78 * 8; bit++) {
      const frame = base.slice();
      frame[bit >> 3]! ^= 0x80 >> (bit & 7);
      const { change, events } = send(frame);
      const { Linux } = judge(explain(frame), receiver);
      out.push(`${bit} ${Linux.field} ${Linux.fate} ${Linux.reason} | ${change} ${events.join(" ; ")}`);
    }
  } finally {
    rmdirSync(instance);
  }
  void hex;
  return out;
}
