/**
 * `poplin lab`: the cluster of the study that poplin grew from, on this machine, to type the study's commands in. It
 * stays until `poplin lab down`; what interrupts `lab up` takes down what is there of it.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { constants } from "node:os";
import { Command, Option } from "commander";
import { agentState, enter, type FoundLab, findLab, takeDown } from "../lab/study/find.ts";
import type { Inventory } from "../lab/study/inventory.ts";
import { studyMissing } from "../lab/study/needs.ts";
import type { StoreKind } from "../lab/study/store.ts";
import { StudyLab } from "../lab/study/study-lab.ts";
import { print, stdoutStyle } from "./client.ts";
import { CliError, EXIT } from "./errors.ts";
import { ownCommand } from "./own-command.ts";
import { renderLab } from "./render-lab.ts";

interface Named {
  readonly name: string;
}

interface UpOptions extends Named {
  readonly store: StoreKind;
}

export function labCommand(): Command {
  const command = new Command("lab").description(
    "Three nodes of a flannel cluster on this machine, with pods made by CNI plugins\n" +
      "and a world outside: type the commands of examples/study there. Needs root.",
  );
  command
    .command("up")
    .description("Build the lab, and leave it up.")
    .addOption(new Option("--store <kind>", "where the nodes meet").choices(["file", "etcd"]).default("file"))
    .addOption(nameOption())
    .action(up);
  command
    .command("down")
    .description("Take the lab down, with all that runs in it.")
    .addOption(nameOption())
    .action(down);
  command
    .command("shell")
    .description("A shell on a node or in a pod, or one command: lab shell worker -- ip route")
    .argument("<host>", "control-plane, worker, worker2, a pod as pod-1; switch, world")
    .argument("[command...]", "what to run there, behind --")
    .addOption(nameOption())
    .action(shell);
  return command;
}

/** @throws CliError */
function needRoot(): void {
  if (process.getuid?.() !== 0) throw new CliError(EXIT.permission, "the lab needs root", "run it with sudo");
}

function nameOption(): Option {
  return new Option("--name <name>", "another lab beside the usual one").default("study");
}

async function up({ store, name }: UpOptions): Promise<void> {
  needRoot();
  const there = findLab(name);
  if (there !== null) return await showThere(there, name, store);
  const missing = studyMissing(store);
  if (missing !== null) throw new CliError(EXIT.failed, ...missing);
  // First in line, so that it is said before the lab's own handlers take everything down.
  const interrupted = (signal: string): void => {
    process.stdout.write(`\n${signal}: taking everything down\n`);
  };
  process.once("SIGINT", interrupted).once("SIGTERM", interrupted);
  const study = await StudyLab.start({ store, name, progress: (what) => print([`making ${what}`]) });
  try {
    print(["making pod-1 and pod-2"]);
    await study.addStudyPods();
    await show(study.lab.id, study.keep(), name);
  } catch (error) {
    study.destroy();
    throw error;
  } finally {
    process.off("SIGINT", interrupted).off("SIGTERM", interrupted);
  }
}

async function showThere({ record, inventory }: FoundLab, name: string, store: StoreKind): Promise<void> {
  if (inventory === null) {
    const { pid } = record.owner;
    throw new CliError(EXIT.failed, `the lab "${name}" is being built by process ${pid}`, "wait for it");
  }
  if (inventory.store !== store) {
    const remedy = `take it down first: ${howTo(name)("down")}`;
    throw new CliError(EXIT.failed, `the lab is up already, with store ${inventory.store}`, remedy);
  }
  print([`the lab is up already, since ${record.created}`]);
  await show(record.id, inventory, name);
}

async function show(id: string, inventory: Inventory, name: string): Promise<void> {
  const agents = await Promise.all(inventory.nodes.map(agentState));
  print(renderLab(id, inventory, agents, howTo(name), stdoutStyle()));
}

function down({ name }: Named): void {
  needRoot();
  if (!takeDown(name)) throw new CliError(EXIT.failed, `there is no lab "${name}" to take down`);
  print(["the lab is taken down"]);
}

async function shell(host: string, words: string[], { name }: Named): Promise<void> {
  needRoot();
  const lab = findLab(name);
  if (lab === null) {
    throw new CliError(EXIT.failed, `there is no lab "${name}"`, `build it: ${howTo(name)("up")}`);
  }
  const { command, env } = enter(lab, host, words);
  // Ctrl-C is for what runs there; this process only waits for it.
  process.on("SIGINT", () => {}).on("SIGQUIT", () => {});
  const child = spawn(command[0]!, command.slice(1), { stdio: "inherit", env, cwd: "/" });
  const [code, signal] = (await once(child, "close")) as [number | null, NodeJS.Signals | null];
  // As a shell says it.
  process.exitCode = code ?? 128 + constants.signals[signal!];
}

/** How to call a command of this lab's: `howTo(name)("down")`. */
function howTo(name: string): (words: string) => string {
  const which = name === "study" ? "" : ` --name ${name}`;
  return (words) => {
    const [first, ...rest] = words.split(" ");
    return [ownCommand(), "lab", `${first}${which}`, ...rest].join(" ");
  };
}
