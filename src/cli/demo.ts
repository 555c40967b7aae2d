/**
 * `poplin demo`: three nodes on this machine. As root with /dev/net/tun they are network namespaces and one of them
 * runs the kernel's VXLAN; otherwise the same dataplane runs in memory. Whatever ends it, the lab is taken down, unless
 * `--keep` was asked for.
 */
import { Command, InvalidArgumentError } from "commander";
import { playDemo } from "../lab/demo/demo.ts";
import { MemoryStage } from "../lab/demo/memory-stage.ts";
import { NamespaceStage, namespacesMissing } from "../lab/demo/namespace-stage.ts";
import type { DemoView, Place, Stage } from "../lab/demo/stage.ts";
import { PoplinNode } from "../lab/poplin-node.ts";
import { demolish } from "../lab/registry.ts";
import { print, stdoutStyle } from "./client.ts";
import { CliError, EXIT } from "./errors.ts";
import { keptLab } from "./kept-lab.ts";
import { paint } from "./output.ts";
import { ownCommand } from "./own-command.ts";
import {
  renderKept,
  renderMatrix,
  renderNode,
  renderPacket,
  renderReasons,
  renderRow,
  renderScene,
} from "./render-demo.ts";

interface DemoOptions {
  readonly keep?: boolean;
  readonly down?: string | true;
  readonly memory?: boolean;
  readonly seconds: number;
}

export function demoCommand(): Command {
  return new Command("demo")
    .description(
      "Build three nodes on this machine, each with a pod, and show the overlay between\n" +
        "them: ping, TCP, the first packet byte by byte, peers, routes and counters.\n" +
        "As root they are network namespaces; without, the dataplane runs in memory.",
    )
    .option("--keep", "leave the nodes up to look around in")
    .option("--down [id]", "take down a lab that --keep left; without an id the only one there is")
    .option("--memory", "run in memory even where namespaces are possible")
    .option("--seconds <n>", "how long each TCP transfer lasts", seconds, 2)
    .action(demo);
}

function seconds(text: string): number {
  const n = Number(text);
  if (!(Number.isInteger(n) && n >= 1 && n <= 60)) {
    throw new InvalidArgumentError("it takes a whole number from 1 to 60.");
  }
  return n;
}

async function demo(options: DemoOptions): Promise<void> {
  if (options.down !== undefined) return takeDown(options.down);
  const why = options.memory === true ? "--memory asks for it" : namespacesMissing();
  if (why !== null && options.keep === true) {
    throw new CliError(EXIT.usage, `in memory there is nothing to keep, and namespaces are out: ${why}`);
  }
  await (why === null ? onNamespaces(options) : inMemory(why));
  print(["", `next: ${ownCommand()} learn 0, a lesson: name each byte of such a packet`]);
}

async function inMemory(why: string): Promise<void> {
  const stage = await MemoryStage.start(why);
  try {
    await play(stage);
  } finally {
    stage.close();
  }
}

async function onNamespaces({ keep, seconds: length }: DemoOptions): Promise<void> {
  // First in line, so that it is said before the lab's own handlers take everything down.
  const interrupted = (signal: string): void => {
    process.stdout.write(`\n${signal}: taking everything down\n`);
  };
  process.once("SIGINT", interrupted).once("SIGTERM", interrupted);
  const stage = await NamespaceStage.start(length);
  try {
    await play(stage);
    if (keep === true) leave(stage);
  } finally {
    if (keep !== true) {
      stage.close();
      print(["", `lab ${stage.scene.lab} is taken down`]);
    }
    process.off("SIGINT", interrupted).off("SIGTERM", interrupted);
  }
}

function leave(stage: NamespaceStage): void {
  stage.cluster.lab.keep();
  const agents = stage.cluster.nodes.filter((node) => node instanceof PoplinNode);
  const sockets = new Map(agents.map((node) => [node.plan.name, node.socket]));
  print(renderKept(stage.scene, sockets, ownCommand(), stdoutStyle()));
}

async function play(stage: Stage): Promise<void> {
  const style = stdoutStyle();
  const { places } = stage.scene;
  const reasons = new Set<string>();
  const view: DemoView = {
    scene: (scene) => print(renderScene(scene, style)),
    matrix: (kind, pods) => print(renderMatrix(kind, pods, style)),
    row: (from: Place, cells) => print(renderRow(from, places, cells, style)),
    packet: (packet) => print(renderPacket(packet, style)),
    node: (report) => {
      for (const reason of Object.keys(report.drops)) reasons.add(reason);
      print(renderNode(report, style));
    },
  };
  const ok = await playDemo(stage, view);
  print(renderReasons(reasons, style));
  print([
    "",
    ok ? paint(style, "green", "everything arrived") : paint(style, "red", "not everything arrived"),
  ]);
  if (!ok) process.exitCode = EXIT.failed;
}

function takeDown(which: string | true): void {
  const lab = keptLab(which);
  demolish(lab.id);
  print([`lab ${lab.id} is taken down`]);
}
