/**
 * The process that an experiment runs on a host of its lab: a wire, and for the kernel's sake a VXLAN device. It reads a
 * frame a line, in hexadecimal, and answers each with a line of JSON: what became of it (`Arrival`).
 *
 *   node receive-run.js '{"kind":"kernel", …}'
 */
import { createInterface } from "node:readline";
import type { Receiver } from "../../teach/judge/judgement.ts";
import { fromHex } from "../../wire/bytes.ts";
import { DropTrace } from "./drop-trace.ts";
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
const receive =
  options.kind === "kernel"
    ? kernel()
    : (frame: Uint8Array): Arrival => ({ in: false, reasons: wire.write(frame) });
process.stdout.write("ready\n");
for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(receive(fromHex(line)))}\n`);
}

function kernel(): (frame: Uint8Array) => Arrival {
  const vtep = new KernelVtep(wire);
  vtep.become(options.receiver, options.receiver.addresses[0]!);
  return (frame) => vtep.receive(frame);
}
