/**
 * `poplin explain`: a packet from its first bit to its last.
 *
 *   input (explain-input.ts) → what the first byte belongs to (teach/guess.ts) → values changed, where asked (teach/assign.ts)
 *     → explanation and verdicts (teach/) → text, JSON, a diagram, SVG or HTML
 *
 * It needs no agent and no right.
 */
import { Argument, Command, Option } from "commander";
import { asciiDiagram } from "../teach/ascii-diagram.ts";
import { assign, parseAssignment } from "../teach/assign.ts";
import { dissect } from "../teach/dissect.ts";
import { EXAMPLES, type ExampleName } from "../teach/examples.ts";
import { explanationHtml } from "../teach/explain-html.ts";
import { explanationJson } from "../teach/explain-json.ts";
import { explainText } from "../teach/explain-text.ts";
import { type Explanation, explain } from "../teach/explanation.ts";
import { type Guess, type GuessedLayer, guessLayer, LAYER_WORDS } from "../teach/guess.ts";
import { type Judgements, judge, receiverOf } from "../teach/judge/judge.ts";
import type { Receiver } from "../teach/judge/judgement.ts";
import { wrap as wrapWords } from "../teach/paint.ts";
import { summarize } from "../teach/summary.ts";
import { packetSvg } from "../teach/svg-diagram.ts";
import { ValueError } from "../teach/value.ts";
import { verdictLines } from "../teach/verdict-text.ts";
import { VXLAN_PORT_IANA, VXLAN_PORT_LINUX } from "../wire/index.ts";
import { stdoutStyle } from "./client.ts";
import { CliError, EXIT } from "./errors.ts";
import { type Input, readInput } from "./explain-input.ts";
import { writePcapng } from "./explain-pcapng.ts";
import { wiresharkCommand } from "./two-sides.ts";
import { wholeOption } from "./whole-option.ts";

interface ExplainOptions {
  readonly example?: ExampleName;
  readonly packet?: number;
  readonly layer?: GuessedLayer;
  readonly port?: number;
  readonly set: readonly string[];
  readonly repair: boolean;
  readonly vni?: number;
  readonly learning?: boolean;
  readonly gbp?: boolean;
  readonly level: "short" | "full";
  readonly json?: boolean;
  readonly asciiDiagram?: boolean;
  readonly svg?: boolean;
  readonly html?: boolean;
  readonly write?: string;
}

/** A packet, and all that is known of it. */
interface Case {
  readonly input: Input;
  readonly guess: Guess | null;
  readonly layer: GuessedLayer;
  readonly vxlanPorts: readonly number[];
  readonly explanation: Explanation;
  readonly receiver: Receiver;
  readonly verdicts: Judgements;
}

export function explainCommand(): Command {
  return new Command("explain")
    .description(
      "Explain a packet, every bit of it: where it is, its value, what it means, why it is there, where that is written, and " +
        "what happens if it is wrong; and what becomes of the packet by RFC 7348, on Linux and in poplin.",
    )
    .addArgument(
      new Argument(
        "[packet...]",
        "a capture or a file with hexadecimal bytes, the bytes, or - for standard input",
      ),
    )
    .addOption(new Option("--example <name>", "one of ours").choices(Object.keys(EXAMPLES)))
    .option("--packet <n>", "of a capture with several packets, the nth", wholeOption(1, 1e9))
    .addOption(
      new Option("--layer <name>", "what the first byte belongs to, where the guess is wrong").choices(
        Object.keys(LAYER_WORDS),
      ),
    )
    .option("--port <n>", "a UDP port that is VXLAN's, too", wholeOption(1, 65_535))
    .option("--set <field=value>", "explain it with another value; can be repeated", collect, [])
    .option("--no-repair", "leave checksums as --set makes them: wrong")
    .option(
      "--vni <n>",
      "the VNI of the VTEP that gets it (default: the packet's)",
      wholeOption(0, 2 ** 24 - 1),
    )
    .option("--learning", "that VTEP learns")
    .option("--gbp", "that VTEP knows group policies")
    .addOption(new Option("--level <level>", "how much").choices(["short", "full"]).default("full"))
    .option("-j, --json", "all of it as JSON")
    .option("--ascii-diagram", "the headers as RFCs draw them")
    .option("--svg", "a drawing")
    .option("--html", "a page that needs nothing else")
    .option(
      "-w, --write <file>",
      "also write pcapng: both sides of the tunnel, layers and verdicts as comments",
    )
    .addHelpText(
      "after",
      "\nExamples:\n" +
        "  poplin explain --example ping\n" +
        "  poplin explain --example ping --set vni=2 --vni 1 --level short\n" +
        "  poplin explain 08 00 00 00 00 00 01 00 ...\n" +
        "  sudo poplin capture -c 1 -w - | poplin explain -\n" +
        "  poplin explain underlay.pcapng --packet 3 --html > packet.html\n",
    )
    .action(run);
}

function collect(value: string, before: readonly string[]): string[] {
  return [...before, value];
}

function run(words: string[], options: ExplainOptions): void {
  const inputs = readInput(words, options.example);
  if (inputs.length > 1 && options.packet === undefined) {
    print(listLines(inputs));
    return;
  }
  const input = inputs[(options.packet ?? 1) - 1];
  if (input === undefined) {
    throw new CliError(
      EXIT.usage,
      `there is no packet ${options.packet}`,
      `the last one is ${inputs.length}`,
    );
  }
  const one = caseOf(input, options);
  if (options.write !== undefined) {
    writePcapng(options.write, one.explanation, one.layer, one.verdicts);
    process.stderr.write(`written; ${wiresharkCommand(options.write, one.receiver.port)}\n`);
  }
  show(one, options);
}

/** @throws CliError (usage) for a value that a field cannot have */
function caseOf(input: Input, options: ExplainOptions): Case {
  const { port, set, repair, vni, learning = false, gbp = false } = options;
  const vxlanPorts = [VXLAN_PORT_LINUX, VXLAN_PORT_IANA, ...(port === undefined ? [] : [port])];
  const given = options.layer ?? input.layer;
  const guess = given === null ? guessLayer(input.bytes, { vxlanPorts }) : null;
  const layer = given ?? guess!.layer;
  const packetOptions = { layer, vxlanPorts };
  const original = explain(input.bytes, packetOptions);
  const explanation = set.length === 0 ? original : explain(changed(), packetOptions);
  const receiver = { ...receiverOf(original), learning, gbp, ...(vni === undefined ? {} : { vni }) };
  return { input, guess, layer, vxlanPorts, explanation, receiver, verdicts: judge(explanation, receiver) };

  function changed(): Uint8Array {
    try {
      return assign(input.bytes, set.map(parseAssignment), { repair, ...packetOptions });
    } catch (error) {
      if (error instanceof ValueError) throw new CliError(EXIT.usage, error.message);
      throw error;
    }
  }
}

function show(one: Case, options: ExplainOptions): void {
  const { explanation, guess, receiver, verdicts, input } = one;
  if (options.json)
    print([JSON.stringify(explanationJson(explanation, { guess, receiver, verdicts }), null, 2)]);
  else if (options.svg) process.stdout.write(packetSvg(explanation));
  else if (options.html)
    process.stdout.write(explanationHtml(explanation, { title: input.title, receiver, verdicts }));
  else if (options.asciiDiagram) print(diagramLines(explanation));
  else print(textLines(one, options.level));
}

function textLines(
  { input, guess, layer, vxlanPorts, explanation, receiver, verdicts }: Case,
  level: string,
): string[] {
  const { color } = stdoutStyle();
  const lines = wrapWords("", input.title.split(" "));
  if (input.comment !== null)
    lines.push(...input.comment.split("\n").flatMap((line) => wrapWords("# ", line.split(" "))));
  if (guess !== null) lines.push(...guessLines(guess));
  const options = { color, layer, vxlanPorts };
  const body = level === "short" ? dissect(explanation.bytes, options) : explainText(explanation, { color });
  return [...lines, "", ...body, "", ...verdictLines(explanation, receiver, verdicts, color)];
}

function guessLines({ words, why, sure }: Guess): string[] {
  const doubt = sure ? "" : " It may be something else.";
  return wrapWords("", `Taken for ${words}: ${why}.${doubt} --layer says otherwise.`.split(" "));
}

/** A drawing for each header. */
function diagramLines({ parts, bytes }: Explanation): string[] {
  return parts.flatMap(({ title, kind, at, length, fields }, i) => {
    const lines = i === 0 ? [] : [""];
    if (kind !== "header" && kind !== "option")
      return [...lines, `${title}: ${length} of ${bytes.length} bytes`];
    const drawn = fields.map((field) => ({ ...field, at: field.bit - at * 8 }));
    return [...lines, title, ...asciiDiagram(drawn)];
  });
}

/** A capture with several packets: each in a line. */
function listLines(inputs: readonly Input[]): string[] {
  const width = String(inputs.length).length;
  const lines = inputs.map(({ bytes, layer }, i) => {
    const number = String(i + 1).padStart(width);
    return `${number}  ${summarize(bytes, { layer: layer ?? guessLayer(bytes).layer })}`;
  });
  return [...lines, "", `${inputs.length} packets; --packet N explains one`];
}

function print(lines: readonly string[]): void {
  process.stdout.write(`${lines.join("\n")}\n`);
}
