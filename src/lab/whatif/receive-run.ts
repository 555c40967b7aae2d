/**
 * The process that an experiment runs on a host of its lab: a wire, and for the kernel's sake a VXLAN device. It reads a
 * frame a line, in hexadecimal, and answers each with a line of JSON: what became of it (`Arrival`). An empty line asks what
 * has become of the last one since.
 *
 *   node receive-run.js '{"kind":"kernel", …}'
 */
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import type { Receiver } from "../../teach/judge/judgement.ts";
import { fromHex } from "../../wire/bytes.ts";
import { DropTrace } from "../drop-trace.ts";
import { type Arrival, KernelVtep } from "./kernel-vtep.ts";
import { Wire, type WireOptions } from "./wire.ts";

export interface ReceiveOptions {
  /** `poplin`: the VTEP is an agent's, who is asked what came out of it; here `in` is always false. */
  readonly kind: "kernel" | "poplin";
  readonly wire: WireOptions;
  readonly receiver: Receiver;
  /** Null where the kernel has no tracepoint. */
  readonly trace: string | null;
}

const options = JSON.parse(process.argv[2]!) as ReceiveOptions;
const wire = new Wire(options.wire, options.trace === null ? null : new DropTrace(options.trace));
const receive = options.kind === "kernel" ? kernel() : poplin();
process.stdout.write("ready\n");
for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(receive(line === "" ? null : fromHex(line)))}\n`);
}

/** What takes a frame; null asks again about the last one. */
type Receive = (frame: Uint8Array | null) => Arrival;

function kernel(): Receive {
  const vtep = new KernelVtep(wire);
  vtep.become(options.receiver, options.receiver.addresses[0]!);
  return (frame) => (frame === null ? { in: false, reasons: [] } : vtep.receive(frame));
}

function poplin(): Receive {
  let before = 0;
  return (frame) => {
    if (frame === null) return { in: false, reasons: checksumErrors() > before ? ["UDP_CSUM"] : [] };
    before = checksumErrors();
    return { in: false, reasons: wire.write(frame) };
  };
}

/** Datagrams that were dropped because of their checksum, when somebody read them, over IPv4 and IPv6. */
function checksumErrors(): number {
  const [names, values] = readFileSync("/proc/self/net/snmp", "utf8")
    .split("\n")
    .filter((line) => line.startsWith("Udp:"));
  const v4 = Number(values!.split(" ")[names!.split(" ").indexOf("InCsumErrors")]);
  const v6 = Number(
    /^Udp6InCsumErrors\s+(\d+)/m.exec(readFileSync("/proc/self/net/snmp6", "utf8"))?.[1] ?? 0,
  );
  return v4 + v6;
}
