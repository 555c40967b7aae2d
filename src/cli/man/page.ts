/** A manual page out of a command: its help in the form of man(7), and what `sections.ts` knows beside that. Pure. */
import { type Command, Help, type Option } from "commander";
import { FLANNELD_FLAGS, type FlagRow } from "../../agent/flannel/flag-table.ts";
import { environmentOf, type FlanneldFlag } from "../../agent/flannel/flags.ts";
import { aboutFlag } from "../../agent/flannel/flags-help.ts";
import { bold, escapeRoff, italic, paragraphs, prose, section, tagged, verbatim } from "./roff.ts";
import { EXIT_STATUS, SECTIONS, type Sections, type Term } from "./sections.ts";

export interface PageContext {
  readonly version: string;
  /** Names of all commands. */
  readonly commands: readonly string[];
}

/** @returns "poplin-fdb", and "poplin" for poplin itself */
export function pageName(command: string): string {
  return command === "" ? "poplin" : `poplin-${command}`;
}

/** poplin(1): what there is, and where to read on. */
export function overviewPage(program: Command, context: PageContext): string {
  const entries = program.commands.flatMap((command) =>
    tagged(`\\fB${escapeRoff(pageName(command.name()))}\\fR(1)`, prose(command.summary())),
  );
  return page("", program.description(), context, [
    ...section("SYNOPSIS", [`${bold("poplin")} [${italic("command")}] [${italic("options")}]`]),
    ...section("DESCRIPTION", paragraphs(OVERVIEW)),
    ...section("COMMANDS", entries),
    ...section("OPTIONS", program.createHelp().visibleOptions(program).flatMap(optionLines)),
  ]);
}

const OVERVIEW = `Poplin is a VXLAN node in userspace. On every node one agent opens a TAP device, puts a VXLAN header before
each Ethernet frame, sends it over UDP to the node that owns the destination, and does the reverse. Nodes with a kernel
VXLAN device, flannel's for one, cannot tell a poplin node from one of their own.

Every command that asks an agent takes \`--socket\` (or POPLIN_SOCKET), which may stand before the command, and so may
\`-j\`: it prints JSON, errors too (those on standard error). Without a command it is \`poplin status\`.`;

/** The page of a command, with its own commands. */
export function commandPage(command: Command, context: PageContext): string {
  const name = command.name();
  const flannel = name === "flanneld";
  const description = flannel ? FLANNELD : command.description();
  const synopsis = flannel ? [`${bold("poplin flanneld")} [${italic("flag")}]...`] : synopsisLines(command);
  const options = flannel ? flanneldLines() : optionsOf(command).flatMap(optionLines);
  return page(
    name,
    command.summary(),
    context,
    [
      ...section("SYNOPSIS", synopsis),
      ...section("DESCRIPTION", paragraphs(description)),
      ...section("COMMANDS", command.commands.flatMap(childLines)),
      ...section("OPTIONS", options),
    ],
    exampleLines(command),
  );
}

const FLANNELD = `Runs this machine as a node of a flannel cluster: it takes the flags of flanneld, keeps its contract with
the other nodes and with what sets up pods, and carries the packets itself.

A flag has one dash or two, and its value after = or a space; those without a value are \`--FLAG\` or \`--FLAG=false\`.`;

/** Head, NAME and the sections that all pages have, around a command's own. */
function page(
  name: string,
  about: string,
  { version, commands }: PageContext,
  own: readonly string[],
  examples: readonly string[] = [],
): string {
  const { files = [], environment = [], examples: more = [], seeAlso = [] }: Sections = SECTIONS[name] ?? {};
  const title = pageName(name).toUpperCase();
  const lines = [
    '.\\" Made by `npm run build:man` from what --help prints: nothing to edit.',
    `.TH ${escapeRoff(title)} 1 "" "poplin ${escapeRoff(version)}" "Poplin manual"`,
    // Ragged on the right, and no word is broken: flags and addresses stay whole.
    ".nh",
    ".ad l",
    ...section("NAME", [`${escapeRoff(pageName(name))} \\- ${prose(about)}`]),
    ...own,
    ...section("EXIT STATUS", EXIT_STATUS.flatMap(termLines)),
    ...section("ENVIRONMENT", environment.flatMap(termLines)),
    ...section("FILES", files.flatMap(termLines)),
    ...section("EXAMPLES", [...examples, ...more].length === 0 ? [] : verbatim([...examples, ...more])),
    ...section("SEE ALSO", [seeAlsoLine(name, seeAlso, commands)]),
  ];
  return `${lines.join("\n")}\n`;
}

function termLines([term, meaning]: Term): string[] {
  return tagged(bold(term), prose(meaning));
}

function seeAlsoLine(name: string, pages: readonly string[], commands: readonly string[]): string {
  const own = name === "" ? [] : [""];
  return [...own, ...pages]
    .map((one) => (one === "" || commands.includes(one) ? `${pageName(one)}(1)` : one))
    .map((one) => one.replace(/^(.*)(\(\d\))$/, (_, page: string, number: string) => bold(page) + number))
    .join(", ");
}

/** "poplin fdb [options] [command]"; of a command with its own a line for each. */
function synopsisLines(command: Command): string[] {
  const lines = [command, ...command.commands].map(
    (one) => `${bold(pathOf(one))} ${escapeRoff(one.usage())}`,
  );
  return lines.flatMap((line, i) => (i === 0 ? [line] : [".br", line]));
}

function pathOf(command: Command): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`;
}

function optionsOf(command: Command): Option[] {
  return [...command.createHelp().visibleOptions(command)];
}

function childLines(command: Command): string[] {
  // All have --help, which is told once, with the page's own options.
  const options = optionsOf(command).filter(({ long }) => long !== "--help");
  const inner = options.flatMap(optionLines);
  const examples = exampleLines(command);
  return [
    ...tagged(`${bold(command.name())} ${escapeRoff(command.usage())}`, prose(command.description())),
    ...(inner.length === 0 ? [] : [".RS", ...inner, ".RE"]),
    ...(examples.length === 0 ? [] : [".RS", ".PP", ...verbatim(examples), ".RE"]),
  ];
}

/** "-c, --config <FILE>": names bold, values in italics. */
function optionLines(option: Option): string[] {
  const term = option.flags
    .split(/(\s+|,)/)
    .map((word) => (word.startsWith("-") ? bold(word) : /^[<[]/.test(word) ? italic(word) : escapeRoff(word)))
    .join("");
  // With choices and default, as help has it.
  return tagged(term, prose(new Help().optionDescription(option)));
}

function flanneldLines(): string[] {
  const flags = Object.keys(FLANNELD_FLAGS) as FlanneldFlag[];
  return flags.flatMap((flag) => {
    const { value } = FLANNELD_FLAGS[flag] as FlagRow<unknown>;
    const name = bold(`${flag.length === 1 ? "-" : "--"}${flag}`);
    const term = value === undefined ? name : `${name} ${italic(value)}`;
    return tagged(term, prose(`${aboutFlag(flag)}. Variable: ${environmentOf(flag)}.`));
  });
}

/** What help says behind the options, without its heading: commander hands it out only when it prints. */
function exampleLines(command: Command): string[] {
  if (command.name() === "flanneld") return [];
  let text = "";
  const before = command.configureOutput();
  command.configureOutput({
    ...before,
    writeOut: (more) => {
      text += more;
    },
  });
  command.outputHelp();
  command.configureOutput(before);
  const behind = text.slice(text.indexOf(command.helpInformation()) + command.helpInformation().length);
  const lines = behind.trimEnd().split("\n");
  while (lines.length > 0 && (lines[0]!.trim() === "" || /^Examples?:$/.test(lines[0]!))) lines.shift();
  const indent = Math.min(...lines.filter((line) => line.trim() !== "").map((line) => line.search(/\S/)));
  return lines.map((line) => line.slice(Number.isFinite(indent) ? indent : 0));
}
