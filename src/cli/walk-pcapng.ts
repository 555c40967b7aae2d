/** A walk as pcapng: each interface that the packet passed is one, and what happened there is a comment. */
import { LINKTYPE_ETHERNET, nowNanoseconds, PcapngWriter } from "../io/pcapng.ts";
import { type Hop, type Step, steps } from "../teach/walk.ts";
import { stepWords } from "../teach/walk-text.ts";
import { SyncOutput } from "./sync-output.ts";

/** @throws CliError when it cannot be written */
export function writeWalk(file: string, hops: readonly Hop[]): void {
  const output = new SyncOutput(file);
  try {
    const writer = new PcapngWriter((chunk) => void output.write(chunk), "poplin walk");
    const start = nowNanoseconds();
    for (const step of steps(hops)) writeStep(writer, start, step);
  } finally {
    output.close();
  }
}

function writeStep(writer: PcapngWriter, start: bigint, step: Step): void {
  const { host, device, what, direction, time, bytes } = step.hop;
  const number = writer.addInterface({
    name: `${host} ${device}`,
    linkType: LINKTYPE_ETHERNET,
    description: what,
  });
  const comment = [what, ...stepWords(step)].join("\n");
  writer.packet(number, start + BigInt(time), bytes, { comment, direction });
}
