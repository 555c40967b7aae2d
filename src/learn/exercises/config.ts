/**
 * Exercises of configuration: two nodes with a pod each, whose agents are told what stands in the learner's files. When
 * one is saved its agents start again. Without a lab the same files are read, and what becomes of a ping is said by
 * the dataplane in memory.
 */
import { parse } from "yaml";
import { Cluster, type NodeSpec } from "../../lab/cluster.ts";
import { LabError } from "../../lab/errors.ts";
import { podAddress } from "../../lab/plan.ts";
import type { PoplinNode } from "../../lab/poplin-node.ts";
import type { Exercise, Seen, Typed, WrongAttempt } from "../lesson.ts";
import { FolderStage, LAB_NAME, LabStage } from "../stages.ts";

export type Settings = Readonly<Record<string, unknown>>;

export interface ConfigExercise {
  /** The file, and what is in it at first. */
  readonly file: string;
  readonly text: string;
  /** The setting that the lesson is about, and what it can be. */
  readonly setting: { readonly name: string; readonly least: number; readonly most: number };
  /** The nodes whose agents it is for. */
  readonly nodes: readonly ("node-a" | "node-b")[];
  /** More of what all agents are told. */
  readonly config?: Settings;
  readonly todo: readonly string[];
  /** Prepares the lab further, when it is up. */
  readonly prepare?: (stage: ConfigStage) => Promise<void>;
  /** Looks at the lab, whose agents have the file's settings. */
  readonly look: (stage: ConfigStage, settings: Settings) => Promise<Seen>;
  /** Without a lab. */
  readonly lookAt: (settings: Settings) => Seen;
  readonly wrong: WrongAttempt;
  readonly solution: readonly Typed[];
}

const HOSTS = {
  "node-a": "poplin runs here, 172.19.0.2",
  "node-b": "poplin runs here, 172.19.0.3",
  "pod-a": "10.244.1.2, on node-a",
  "pod-b": "10.244.2.2, on node-b",
};

export function configExercises(one: ConfigExercise): { plain: Exercise; real: Exercise<ConfigStage> } {
  const { file, text, wrong, solution, lookAt } = one;
  const common = { files: { [file]: text }, wrong, solution };
  const agents = one.nodes.length === 1 ? `${one.nodes[0]}'s agent starts` : "the agents start";
  return {
    plain: {
      ...common,
      todo: one.todo,
      stage: async (folder) => new FolderStage(folder),
      check: async (stage) => {
        const reading = readSettings((stage as FolderStage).read(file), one);
        return "problem" in reading ? { done: false, says: reading.problem } : lookAt(reading.settings);
      },
    },
    real: {
      ...common,
      todo: [
        ...one.todo,
        `Whenever you save it, ${agents} again with it. To see what comes of it, the lesson pings pod-b from pod-a itself, about once a second.`,
      ],
      stage: (folder) => ConfigStage.start(folder, one),
      check: (stage) => stage.look(),
    },
  };
}

/** What stands in a file of settings, among it that which the lesson is about; or why it does not. */
function readSettings(
  text: string,
  { file, setting: { name, least, most } }: ConfigExercise,
): { settings: Settings } | { problem: string } {
  let settings: unknown;
  try {
    settings = parse(text);
  } catch (error) {
    return { problem: `${file} is no YAML: ${(error as Error).message.split("\n")[0]}` };
  }
  const value = (settings as Settings | null | undefined)?.[name];
  if (value === undefined || value === null)
    return { problem: `${file} has no ${name}: it is a line such as "${name}: ${least}".` };
  if (!Number.isInteger(value) || (value as number) < least || (value as number) > most)
    return { problem: `${name} is a number from ${least} to ${most}, not ${JSON.stringify(value)}.` };
  return { settings: settings as Settings };
}

export class ConfigStage extends LabStage {
  readonly cluster: Cluster;
  readonly #one: ConfigExercise;
  readonly #config: ReadonlyMap<PoplinNode, Record<string, unknown>>;
  /** What the agents have been told; and what came of it, where that was no start. */
  #told: { readonly text: string; readonly problem: string | null } | null = null;

  static async start(folder: string, one: ConfigExercise): Promise<ConfigStage> {
    const nodes = ["node-a", "node-b"].map(
      (name): NodeSpec => ({ name, kind: "poplin", config: { ...one.config } }),
    );
    const cluster = Cluster.build({ name: LAB_NAME, nodes });
    try {
      const stage = new ConfigStage(folder, cluster, one);
      for (const node of stage.nodes) node.setPeers(cluster.peersOf(node));
      for (const node of stage.nodes)
        if (!one.nodes.includes(node.plan.name as never)) await node.startAgent();
      await stage.#tell();
      await one.prepare?.(stage);
      return stage;
    } catch (error) {
      cluster.destroy();
      throw error;
    }
  }

  private constructor(folder: string, cluster: Cluster, one: ConfigExercise) {
    super(folder, cluster.lab, HOSTS);
    this.cluster = cluster;
    this.#one = one;
    this.#config = new Map(this.nodes.map((node) => [node, node.config]));
  }

  get nodes(): readonly PoplinNode[] {
    return ["node-a", "node-b"].map((name) => this.cluster.poplin(name));
  }

  async look(): Promise<Seen> {
    const problem = await this.#tell();
    if (problem !== null) return { done: false, says: problem };
    const reading = readSettings(this.#told!.text, this.#one);
    return "problem" in reading
      ? { done: false, says: reading.problem }
      : this.#one.look(this, reading.settings);
  }

  /** Whether a pod's ping to the other is answered. */
  async pings(...args: string[]): Promise<boolean> {
    const to = podAddress(this.cluster.node("node-b").plan).v4;
    const words = ["-n", "-c", "1", "-w", "1", ...args, to];
    const { status } = await this.cluster.node("node-a").pod.exec("ping", words, { check: false });
    return status === 0;
  }

  /** Starts agents again when their file has changed. @returns why one does not run; null where all do */
  async #tell(): Promise<string | null> {
    const { file, nodes } = this.#one;
    const text = this.read(file);
    if (text === this.#told?.text) return this.#told.problem;
    const reading = readSettings(text, this.#one);
    const problem = "problem" in reading ? reading.problem : await this.#restart(nodes, reading.settings);
    this.#told = { text, problem };
    return problem;
  }

  async #restart(names: readonly string[], settings: Settings): Promise<string | null> {
    try {
      for (const node of this.nodes.filter(({ plan }) => names.includes(plan.name))) {
        await node.stop();
        node.config = { ...this.#config.get(node), ...settings };
        node.writeConfig();
        await node.startAgent();
      }
      // What pods have heard of path MTUs was about the agents before.
      for (const { pod } of this.nodes) pod.ip("route flush cache");
      return null;
    } catch (error) {
      if (error instanceof LabError) return lastLine(error.message);
      throw error;
    }
  }
}

/** Of an agent's log: what it says last is why it has ended. */
function lastLine(text: string): string {
  return text.trim().split("\n").at(-1)!;
}
