/** Exercises of code: the learner's own codec, which has to pass the vectors, and then to carry a ping. */
import { type ChildProcess, execFile } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { outputOf } from "../../host/output.ts";
import { Lab } from "../../lab/lab.ts";
import { switchNetwork } from "../../lab/network.ts";
import { planNode } from "../../lab/plan.ts";
import type { Seen } from "../lesson.ts";
import { FolderStage, LAB_NAME, LabStage } from "../stages.ts";

const run = promisify(execFile);
export const FILE = "codec.mjs";
/** Compiled: Node runs no TypeScript before version 22. */
const compiled = (name: string): string =>
  fileURLToPath(new URL(`../../../dist/learn/exercises/${name}`, import.meta.url));
/** Milliseconds in which vectors are done, if nothing loops for ever; and a carrier is there. */
const PATIENCE = 5000;

/** @returns what is wrong with the file, in words; null where nothing is */
async function grade(stage: FolderStage): Promise<string | null> {
  const words = [compiled("codec-grade.js"), join(stage.folder, FILE)];
  try {
    const { stdout } = await run(process.execPath, words, { timeout: PATIENCE });
    return JSON.parse(stdout.trim().split("\n").at(-1)!) as string | null;
  } catch {
    return `${FILE} has not come to an end within ${PATIENCE / 1000} seconds.`;
  }
}

/** Looks again only where the file is another. */
export class Graded {
  #last: { readonly text: string; readonly fault: string | null } | null = null;

  async fault(stage: FolderStage): Promise<string | null> {
    const text = stage.read(FILE);
    if (this.#last?.text !== text) this.#last = { text, fault: await grade(stage) };
    return this.#last.fault;
  }
}

export class CodecStage extends FolderStage {
  readonly #graded = new Graded();

  async look(): Promise<Seen> {
    const fault = await this.#graded.fault(this);
    return fault === null
      ? { done: true, says: "All vectors pass. As root, your code would carry a ping now." }
      : { done: false, says: fault };
  }
}

const NAMES = ["node-a", "node-b"] as const;
const inner = (i: number): string => `10.14.0.${i + 1}`;

/** Two hosts, and on each the learner's code between a TAP and a socket. */
export class CarryStage extends LabStage {
  readonly #graded = new Graded();
  #carriers: ChildProcess[] = [];
  /** The text that is carried with. */
  #carried = "";

  static async start(folder: string): Promise<CarryStage> {
    const lab = Lab.create(LAB_NAME);
    try {
      return new CarryStage(folder, lab);
    } catch (error) {
      lab.destroy();
      throw error;
    }
  }

  private constructor(folder: string, lab: Lab) {
    super(
      folder,
      lab,
      Object.fromEntries(NAMES.map((name, i) => [name, `your code runs here; vxlan0 is ${inner(i)}`])),
    );
    const network = switchNetwork(lab);
    for (const [i, name] of NAMES.entries()) network.attach(lab.addHost(name), planNode(name, i));
  }

  async look(): Promise<Seen> {
    const fault = await this.#graded.fault(this);
    if (fault !== null) return { done: false, says: fault };
    const problem = await this.#carry();
    if (problem !== null) return { done: false, says: problem };
    const { status } = await this.lab
      .host("node-a")
      .exec("ping", ["-n", "-c", "1", "-w", "1", inner(1)], { check: false });
    if (status !== 0) return { done: false, says: "All vectors pass, but no ping is answered yet." };
    return { done: true, says: "All vectors pass, and your code has carried a ping from host to host." };
  }

  /** Has both hosts run what is in the file now. @returns why one does not */
  async #carry(): Promise<string | null> {
    const text = this.read(FILE);
    if (text === this.#carried) return null;
    for (const carrier of this.#carriers) {
      const ended = once(carrier, "close");
      if (carrier.kill("SIGKILL")) await ended;
    }
    this.#carriers = NAMES.map((name, i) => this.#spawn(name, planNode(NAMES[1 - i]!, 1 - i).address));
    const problems = await Promise.all(this.#carriers.map(readiness));
    for (const [i, name] of NAMES.entries())
      if (problems[i] === null)
        this.lab.host(name).ip(`addr add ${inner(i)}/24 dev vxlan0`, "link set vxlan0 mtu 1450");
    const problem = problems.find((one) => one !== null) ?? null;
    if (problem === null) this.#carried = text;
    return problem;
  }

  #spawn(name: string, peer: string): ChildProcess {
    const words = [compiled("codec-carry.js"), join(this.folder, FILE), peer];
    return this.lab.host(name).spawn(process.execPath, words, { stdio: ["ignore", "pipe", "pipe"] });
  }
}

/** @returns null when it carries; what it says where it ends */
async function readiness(child: ChildProcess): Promise<string | null> {
  const output = outputOf(child);
  return new Promise((resolve) => {
    child.stdout!.once("data", () => resolve(null));
    child.once("close", () => resolve(output.stderr.trim().split("\n").at(-1) ?? "it has ended"));
  });
}
