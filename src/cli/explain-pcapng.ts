/** An explained packet as pcapng, with what becomes of it by each judge as a comment. */
import { closeSync, openSync, writeSync } from "node:fs";
import { nowNanoseconds } from "../io/pcapng.ts";
import type { Explanation } from "../teach/explanation.ts";
import { JUDGES, type Judgements } from "../teach/judge/judge.ts";
import { FATE_WORDS } from "../teach/verdict-text.ts";
import type { LayerName } from "../wire/index.ts";
import { CliError, EXIT } from "./errors.ts";
import { TwoSides } from "./two-sides.ts";

/** @throws CliError when it cannot be written */
export function writePcapng(
  file: string,
  explanation: Explanation,
  layer: LayerName,
  verdicts: Judgements,
): void {
  let fd: number;
  try {
    fd = openSync(file, "w");
  } catch (error) {
    throw new CliError(EXIT.failed, `${file} cannot be written: ${(error as Error).message}`);
  }
  try {
    const sides = new TwoSides((chunk) => void writeSync(fd, chunk), "poplin explain");
    const time = nowNanoseconds();
    if (layer === "udp-payload") sides.payload(time, explanation, verdictWords(verdicts));
    else sides.packet(time, explanation, layer === "ethernet" ? layer : "ip", verdictWords(verdicts));
  } finally {
    closeSync(fd);
  }
}

function verdictWords(verdicts: Judgements): string[] {
  return JUDGES.map((judge) => {
    const { fate, reason } = verdicts[judge];
    return `${judge}: ${FATE_WORDS[fate]}${reason === null ? "" : `, ${reason}`}`;
  });
}
