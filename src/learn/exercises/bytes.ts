/**
 * Exercises of bytes: what the learner writes into a file, in hexadecimal, arrives as a packet at Linux's VTEP and at
 * poplin's whenever it is saved. As root both are real ones on hosts of their own, otherwise Linux's is the rules that
 * poplin has of it and poplin's is its dataplane, in memory.
 */
import { Experiment } from "../../lab/whatif/experiment.ts";
import { type Explanation, explain, fieldsOf } from "../../teach/explanation.ts";
import { readHexText } from "../../teach/hex-text.ts";
import { judge } from "../../teach/judge/judge.ts";
import type { Receiver } from "../../teach/judge/judgement.ts";
import { ETHERNET_LENGTH } from "../../wire/index.ts";
import type { Exercise, Seen, Typed, WrongAttempt } from "../lesson.ts";
import { FolderStage, LAB_NAME } from "../stages.ts";

/** What a card takes at most, jumbo frames included. */
const MOST_BYTES = 9216;

/** What became of a packet at one VTEP. */
export interface Result {
  readonly in: boolean;
  /** Why not; null where nobody says. */
  readonly reason: string | null;
}

export interface Arrived {
  /** What was in the file. */
  readonly bytes: Uint8Array;
  /** The packet that it became. */
  readonly explanation: Explanation;
  readonly linux: Result;
  readonly poplin: Result;
}

export interface BytesExercise {
  /** The file's name, and what is in it at first. */
  readonly file: string;
  readonly text: string;
  readonly todo: readonly string[];
  readonly receiver: Receiver;
  /** The inner source MAC of a frame from the one peer. */
  readonly peerMac: string;
  /** @returns the packet, from its outer Ethernet header on; a text where these bytes make none, and why */
  readonly packet: (bytes: Uint8Array) => Uint8Array | string;
  readonly look: (arrived: Arrived) => Seen;
  readonly wrong: WrongAttempt;
  readonly solution: readonly Typed[];
}

/** Where a packet arrives. */
interface Vteps {
  receive(explanation: Explanation): Promise<{ linux: Result; poplin: Result }>;
  destroy(): void;
}

const BY_RULES =
  "Whenever you save it, it is given to poplin's own decap, and to the rules that poplin has of Linux.";
const FOR_REAL =
  "Whenever you save it, it arrives at two VTEPs, a kernel's and a poplin's, each on a host of its own.";

/** The same exercise in both ways. */
export function bytesExercises(one: BytesExercise): { plain: Exercise; real: Exercise<BytesStage> } {
  const common = {
    files: { [one.file]: one.text },
    check: (stage: unknown) => (stage as BytesStage).look(one),
    wrong: one.wrong,
    solution: one.solution,
  };
  return {
    plain: {
      ...common,
      todo: [...one.todo, BY_RULES],
      stage: async (folder) => new BytesStage(folder, byRules(one.receiver), {}),
    },
    real: {
      ...common,
      todo: [...one.todo, FOR_REAL],
      stage: async (folder) => new BytesStage(folder, await forReal(one), HOSTS),
    },
  };
}

const HOSTS = {
  kernel: "its VTEP is the kernel's; what it counts: ip -s link show vxlan1",
  poplin: "its VTEP is poplin's; what it counts: poplin stats",
};

export class BytesStage extends FolderStage {
  readonly #vteps: Vteps;
  #last: { readonly text: string; readonly seen: Seen } | null = null;

  constructor(folder: string, vteps: Vteps, hosts: Readonly<Record<string, string>>) {
    super(folder, hosts);
    this.#vteps = vteps;
  }

  /** Has the file's bytes arrive, once. */
  async look(one: BytesExercise): Promise<Seen> {
    const text = this.read(one.file);
    if (this.#last?.text !== text) this.#last = { text, seen: await this.#try(text, one) };
    return this.#last.seen;
  }

  async #try(text: string, { file, packet, look }: BytesExercise): Promise<Seen> {
    const reading = readHexText(text);
    if (!reading.ok) return { done: false, says: `${file}: ${reading.problem}.` };
    const bytes = packet(reading.bytes);
    if (typeof bytes === "string") return { done: false, says: bytes };
    if (bytes.length < ETHERNET_LENGTH || bytes.length > MOST_BYTES) {
      const says = `${file}: a packet has ${ETHERNET_LENGTH} to ${MOST_BYTES} bytes; with these it would have ${bytes.length}.`;
      return { done: false, says };
    }
    const explanation = explain(bytes);
    return look({ bytes: reading.bytes, explanation, ...(await this.#vteps.receive(explanation)) });
  }

  override destroy(): void {
    this.#vteps.destroy();
  }
}

function byRules(receiver: Receiver): Vteps {
  return {
    async receive(explanation) {
      const { Linux, poplin } = judge(explanation, receiver);
      const result = ({ fate, reason }: typeof poplin): Result => ({ in: fate === "in", reason });
      return { linux: result(Linux), poplin: result(poplin) };
    },
    destroy() {},
  };
}

async function forReal({ receiver, peerMac }: BytesExercise): Promise<Vteps> {
  const sender = { address: receiver.peers[0]!, mac: peerMac };
  const experiment = await Experiment.start(receiver, sender, LAB_NAME);
  return {
    async receive({ bytes }) {
      const { kernel, poplin } = await experiment.receive(bytes);
      const result = ({ in: isIn, reasons }: typeof kernel): Result => ({
        in: isIn,
        reason: reasons[0] ?? null,
      });
      return { linux: result(kernel), poplin: result(poplin) };
    },
    destroy: () => experiment.destroy(),
  };
}

/** "Linux: dropped, VXLAN_INVALID_HDR; poplin: let in." */
export function whatHappened({ linux, poplin }: Arrived): string {
  return `Linux: ${inWords(linux)}; poplin: ${inWords(poplin)}.`;
}

function inWords({ in: isIn, reason }: Result): string {
  if (isIn) return "let in";
  return reason === null ? "dropped" : `dropped, ${reason}`;
}

/** A field's value by its id; undefined where the packet has no such field. */
export function valueIn({ explanation }: Arrived, id: string): unknown {
  return fieldsOf(explanation).find((field) => field.id === id)?.value ?? undefined;
}
