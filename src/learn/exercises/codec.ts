/** Exercises of code: the learner's own codec, which has to pass the vectors, and then to carry a ping. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Lab } from "../../lab/lab.ts";
import { switchNetwork } from "../../lab/network.ts";
import { planNode } from "../../lab/plan.ts";
import type { Seen } from "../lesson.ts";
import { FolderStage, LAB_NAME, LabStage } from "../stages.ts";

export const FILE = "codec.mjs";
/** Compiled: Node runs no TypeScript before version 22. */
const compiled = (name: string): string =>
  fileURLToPath(new URL(`../../../dist/learn/exercises/${name}`, import.meta.url));
/** Milliseconds in which vectors are done, if nothing loops for ever. */
const PATIENCE = 5000;

/** @returns what is wrong with the file, in words; null where nothing is */
async function grade(stage: FolderStage): Promise<string | null> {
  const words = [join(stage.folder, FILE)];
  const child = fork(compiled("codec-grade.js"), words, { stdio: ["ignore", "ignore", "ignore", "ipc"] });
  const late = setTimeout(() => child.kill("SIGKILL"), PATIENCE);
  let fault: string | null = `${FILE} has not come to an end within ${PATIENCE / 1000} seconds.`;
  child.on("message", (message) => {
    fault = (message as { fault: string | null }).fault;
  });
  await once(child, "close");
  clearTimeout(late);
  return fault;
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
  #carriers: Carrier[] = [];
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
    const words = ["-n", "-c", "1", "-w", "1", inner(1)];
    const { status } = await this.lab.host("node-a").exec("ping", words, { check: false });
    if (status !== 0) {
      const last = this.#carriers.map(({ lastWords }) => lastWords).find((one) => one !== null);
      const why = last === undefined ? "no ping is answered yet." : `carrying a ping it has ended: ${last}`;
      return { done: false, says: `All vectors pass, but ${why}` };
    }
    return { done: true, says: "All vectors pass, and your code has carried a ping from host to host." };
  }

  /** Has both hosts run what is in the file now. @returns why one does not */
  async #carry(): Promise<string | null> {
    const text = this.read(FILE);
    if (text === this.#carried) return null;
    for (const carrier of this.#carriers) await carrier.end();
    this.#carriers = NAMES.map((name, i) => this.#spawn(name, planNode(NAMES[1 - i]!, 1 - i).address));
    const problems = await Promise.all(this.#carriers.map((carrier) => carrier.ready()));
    for (const [i, name] of NAMES.entries())
      if (problems[i] === null)
        this.lab.host(name).ip(`addr add ${inner(i)}/24 dev vxlan0`, "link set vxlan0 mtu 1450");
    const problem = problems.find((one) => one !== null) ?? null;
    if (problem === null) this.#carried = text;
    return problem;
  }

  #spawn(name: string, peer: string): Carrier {
    const words = [compiled("codec-carry.js"), join(this.folder, FILE), peer];
    const stdio = ["ignore", "ignore", "pipe", "ipc"] as ["ignore", "ignore", "pipe", "ipc"];
    return new Carrier(this.lab.host(name).spawn(process.execPath, words, { stdio }));
  }
}

/** A host's process that carries. */
class Carrier {
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;
  #said = "";
  #hasEnded = false;

  constructor(child: ChildProcess) {
    this.#child = child;
    child.stderr!.setEncoding("utf8").on("data", (text: string) => {
      this.#said = (this.#said + text).slice(-4096);
    });
    this.#ended = once(child, "close").then(() => {
      this.#hasEnded = true;
    });
  }

  /** What it said when it ended; null while it runs. */
  get lastWords(): string | null {
    if (!this.#hasEnded) return null;
    return /^(\w*Error.*)$/m.exec(this.#said)?.[1] ?? this.#said.trim().split("\n").at(-1) ?? "";
  }

  /** @returns null when it carries; why not, where it ends */
  async ready(): Promise<string | null> {
    await Promise.race([once(this.#child, "message"), this.#ended]);
    const last = this.lastWords;
    return last === null ? null : `${FILE} has ended: ${last}`;
  }

  async end(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#ended;
  }
}
