/**
 * `poplin whatif`: what becomes of a packet if one of its fields had another value, said first and then tried.
 *
 *   an example, or any packet + field=value … → prediction (teach/judge) → the same bytes at a kernel's VTEP and a poplin's,
 *   on throw-away hosts (lab/whatif) → both beside each other
 *
 * The receiver is whom the packet was for before it was changed: `vni=2` arrives at a VTEP that has VNI 1.
 */
import { Argument, Command, Option } from "commander";
import { Experiment, type Outcome } from "../lab/whatif/experiment.ts";
import { assign, parseAssignment } from "../teach/assign.ts";
import { differences } from "../teach/compare.ts";
import { EXAMPLES, type ExampleName } from "../teach/examples.ts";
import { type Explanation, explain, fieldsOf } from "../teach/explanation.ts";
import { addresseeOf, JUDGES, type Judge, type Judgements, judge } from "../teach/judge/judge.ts";
import type { Judgement, Receiver } from "../teach/judge/judgement.ts";
import { resize } from "../teach/resize.ts";
import { ValueError } from "../teach/value.ts";
import { bitsOf, FATE_WORDS, receiverLine } from "../teach/verdict-text.ts";
import { ETHERNET_LENGTH, hex } from "../wire/index.ts";
import { stdoutStyle } from "./client.ts";
import { CliError, EXIT } from "./errors.ts";
import { hang, paint, type Style, table, wrap } from "./output.ts";

interface WhatifOptions {
  readonly example: ExampleName;
  readonly repair: boolean;
  readonly learning?: boolean;
  readonly gbp?: boolean;
  readonly predict?: boolean;
  readonly json?: boolean;
}

/** Those whose verdict can be tried. */
const TRIED = ["Linux", "poplin"] as const satisfies readonly Judge[];

export function whatifCommand(): Command {
  return new Command("whatif")
    .description(
      "Say what becomes of a packet if some of its fields had other values, then send it for real: to the kernel's VXLAN and " +
        "to poplin, on throw-away hosts. Needs root, but for --predict.",
    )
    .addArgument(
      new Argument(
        "<field=value...>",
        "such as vni=2, flags.i=0, outer.ttl=1; mtu=1500: as long a packet as an overlay of that MTU lets through",
      ),
    )
    .addOption(new Option("--example <name>", "the packet").choices(Object.keys(EXAMPLES)).default("ping"))
    .option("--no-repair", "leave checksums as the change makes them: wrong")
    .option("--learning", "the VTEPs learn")
    .option("--gbp", "the VTEPs know group policies")
    .option("--predict", "only say it")
    .option("-j, --json", "as JSON")
    .addHelpText(
      "after",
      "\nExamples:\n" +
        "  sudo poplin whatif vni=2\n" +
        "  sudo poplin whatif flags.i=0\n" +
        "  sudo poplin whatif mtu=1500\n" +
        "  sudo poplin whatif vxlan.reserved3=1\n" +
        "  sudo poplin whatif --example ipv6 outer.udp.checksum=0\n" +
        "  poplin explain --example ping       says which fields there are\n",
    )
    .action(whatif);
}

interface Case {
  readonly before: Explanation;
  readonly after: Explanation;
  readonly receiver: Receiver;
  readonly verdicts: Judgements;
}

async function whatif(texts: string[], options: WhatifOptions): Promise<void> {
  const one = caseOf(texts, options);
  const style = stdoutStyle();
  if (!options.json)
    print([...changeLines(one, style), "", ...wrap(receiverLine(one.receiver), style.width), ""]);
  const outcomes = options.predict ? null : await tried(one);
  const isAsSaid = outcomes === null || TRIED.every((who) => agrees(one.verdicts[who], outcomes[who]));
  if (options.json) print([JSON.stringify({ schema: 1, ...jsonOf(one), outcomes, isAsSaid }, null, 2)]);
  else print(verdictLines(one, outcomes, style));
  if (!isAsSaid) process.exitCode = EXIT.failed;
}

/** @throws CliError (usage) for a field that is none, and a value that it cannot have */
function caseOf(
  texts: readonly string[],
  { example, repair, learning = false, gbp = false }: WhatifOptions,
): Case {
  const before = explain(EXAMPLES[example].bytes);
  const after = explain(changed(before.bytes, texts, repair));
  const receiver = { ...addresseeOf(before), learning, gbp };
  return { before, after, receiver, verdicts: judge(after, receiver) };
}

function changed(bytes: Uint8Array, texts: readonly string[], repair: boolean): Uint8Array {
  try {
    const all = texts.map(parseAssignment);
    // Not a field: how long the packet is.
    const mtu = all.findLast(({ path }) => path === "mtu");
    const first = mtu === undefined ? bytes : resize(explain(bytes), Number(mtu.value));
    return assign(
      first,
      all.filter(({ path }) => path !== "mtu"),
      { repair },
    );
  } catch (error) {
    if (error instanceof ValueError) throw new CliError(EXIT.usage, error.message);
    throw error;
  }
}

/** Has it arrived for real. */
async function tried({ before, after, receiver }: Case): Promise<Record<(typeof TRIED)[number], Outcome>> {
  const mac = fieldsOf(before).find(({ id }) => id === "inner.ethernet.source")!.text;
  const experiment = await Experiment.start(receiver, { address: receiver.peers[0]!, mac });
  try {
    const { kernel, poplin } = await experiment.receive(after.bytes);
    return { Linux: kernel, poplin };
  } finally {
    experiment.destroy();
  }
}

/** Whether what happened is what was said. What waits for the rest of its packet is nowhere yet. */
function agrees({ fate, reason }: Judgement, outcome: Outcome): boolean {
  if (fate === "in" || outcome.in) return fate === "in" && outcome.in;
  return (
    reason === null ||
    reason === "FRAG_REASM_TIMEOUT" ||
    outcome.reasons.length === 0 ||
    outcome.reasons.includes(reason)
  );
}

/** Each field that is different, checksums that were put right included. */
function changeLines({ before, after }: Case, style: Style): string[] {
  const found = differences(before, after);
  if (found.length === 0) return ["nothing is different: the packet has these values already"];
  const width = Math.max(...found.map(({ field }) => field.id.length));
  const lines = found.map(({ field, before: was, after: is }) => {
    const bits = paint(style, "dim", bitsOf(field));
    return `${field.id.padEnd(width)}  ${was ?? "not there"} → ${is ?? "not there"}  ${bits}`;
  });
  const ipBytes = after.bytes.length - ETHERNET_LENGTH;
  if (ipBytes <= USUAL_MTU) return lines;
  return [...lines, "", ...wrap(tooLong(ipBytes), style.width)];
}

/** What networks mostly take. */
const USUAL_MTU = 1500;

function tooLong(ipBytes: number): string {
  return (
    `The outer IP packet has ${ipBytes} bytes, and most networks take ${USUAL_MTU}: it arrives whole only where the underlay's MTU is ` +
    "larger. Elsewhere it is cut into fragments, which a VTEP must not do and the other one may drop (RFC 7348 section 4.3), or " +
    "dropped. What follows is of the whole packet."
  );
}

function verdictLines(
  one: Case,
  outcomes: Record<(typeof TRIED)[number], Outcome> | null,
  style: Style,
): string[] {
  const columns = [
    { title: "" },
    { title: "said" },
    ...(outcomes === null ? [] : [{ title: "happened" }, { title: "" }]),
  ];
  const rows = JUDGES.map((who) => {
    const verdict = one.verdicts[who];
    const said = [who, words(verdict.fate === "in", verdict.reason, FATE_WORDS[verdict.fate])];
    if (outcomes === null) return said;
    if (who === "RFC 7348") return [...said, "", ""];
    const outcome = outcomes[who];
    const happened = words(
      outcome.in,
      outcome.reasons[0] ?? null,
      outcome.in ? FATE_WORDS.in : "did not come out",
    );
    const isSame = agrees(verdict, outcome);
    return [...said, happened, isSame ? paint(style, "green", "as said") : paint(style, "red", "otherwise")];
  });
  const why = reasonLines(one.verdicts, style);
  const counted = outcomes === null ? [] : TRIED.map((who) => `${who} counted: ${outcomes[who].counters}`);
  return [
    ...table(columns, rows, style),
    ...(why.length > 0 ? ["", ...why] : []),
    ...(counted.length > 0 ? ["", ...counted] : []),
  ];
}

/** Why it is not let in; of those who say the same, once. */
function reasonLines(verdicts: Judgements, style: Style): string[] {
  const bySentence = new Map<string, string[]>();
  for (const who of JUDGES) {
    const { fate, words: sentence, source } = verdicts[who];
    if (fate === "in") continue;
    const said = bySentence.get(sentence) ?? [];
    bySentence.set(sentence, [...said, said.length === 0 ? `${source}: ${who}` : who]);
  }
  return [...bySentence].flatMap(([sentence, who]) =>
    hang("", `${sentence} (${who.join(", ")})`, style.width),
  );
}

function words(isIn: boolean, reason: string | null, otherwise: string): string {
  return isIn || reason === null
    ? otherwise
    : `${otherwise === "did not come out" ? "dropped" : otherwise}: ${reason}`;
}

function jsonOf({ before, after, receiver, verdicts }: Case) {
  const changes = differences(before, after).map(({ field, before: was, after: is }) => {
    const { id, bit, width } = field;
    return { field: id, bit, width, before: was, after: is };
  });
  return { bytes: hex(after.bytes), changes, receiver, verdicts };
}

function print(lines: readonly string[]): void {
  process.stdout.write(`${lines.join("\n")}\n`);
}
