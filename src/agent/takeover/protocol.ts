/**
 * What two agents say to each other when the new one takes over from the old one (`give.ts`, `take.ts`):
 *
 *   new                              old
 *   hello, what it wants to be  ──▶
 *                               ◀──  accepted, with every descriptor, and the rows that do not change meanwhile
 *   prepared                    ──▶                       until here the old one forwards
 *                               ◀──  state, once all that it has read has been sent: nobody forwards
 *   running                     ──▶                       from here on the new one forwards
 *
 * In place of `accepted` and `state` the old one may say `refused`. Who hears nothing in time ends the conversation. Only
 * `running` decides: where the old one has it in its queue when it ends the conversation, the node is the new one's; where
 * the new one cannot send it any more, the node is still the old one's.
 */
import type { CounterSnapshot } from "../../dataplane/counters.ts";
import type { Lesson } from "../../dataplane/lessons.ts";
import type { FdbRow } from "../../dataplane/options.ts";
import type { UdpSocket } from "../../io/linux/shim.ts";
import type { OverlayMemory } from "../overlay.ts";
import type { PathMemory } from "../path-mtu/watch.ts";
import { TakeOverError } from "./errors.ts";
import type { Shape } from "./shape.ts";

/** Of this conversation. Two agents that speak different ones cannot take over from each other. */
export const PROTOCOL = 1;

/** Milliseconds that each waits for the other. Nobody forwards while `running` is waited for. */
export const PATIENCE = {
  hello: 5000,
  accepted: 20_000,
  prepared: 30_000,
  state: 10_000,
  running: 5000,
} as const;

/** Where the old one listens, beside its API. */
export function takeOverPath(socket: string): string {
  return `${socket}.takeover`;
}

/** The new one says what it wants to be. */
export interface Hello {
  readonly type: "hello";
  readonly protocol: number;
  readonly version: string;
  /** The network namespace, as /proc/self/ns/net names it. */
  readonly namespace: string;
  /** One for each underlay. */
  readonly shapes: readonly Shape[];
}

/** A socket, its descriptor as a place in the list that came along. */
export type GivenSocket = Omit<UdpSocket, "warnings">;

/** Descriptors are places in the list that came along. */
export interface GivenUnderlay {
  readonly devices: readonly {
    readonly queues: readonly number[];
    readonly mac: string;
    readonly droppedBefore: number;
  }[];
  readonly sockets: readonly GivenSocket[];
  readonly senders: readonly GivenSocket[];
  readonly dfSenders: readonly GivenSocket[];
  readonly hairpin: number | null;
  /** Of each overlay, what nobody changes until the end of the conversation. */
  readonly tables: readonly Tables[];
}

export interface Tables {
  /** Those that are not learned. */
  readonly rows: readonly FdbRow[];
  readonly neighbours: readonly { readonly address: string; readonly mac: string }[];
  readonly memory: OverlayMemory;
}

export interface Accepted {
  readonly type: "accepted";
  readonly version: string;
  readonly pid: number;
  /** What listens for the API, and for whoever takes over next. */
  readonly api: number;
  readonly listener: number;
  readonly underlays: readonly GivenUnderlay[];
}

export interface Refused {
  readonly type: "refused";
  readonly message: string;
  readonly remedy: string;
}

export interface Prepared {
  readonly type: "prepared";
}

/** `LearnedRows` as text: bytes in base64, words in the byte order of this machine. */
export interface LearnedText {
  readonly words: string;
  readonly vteps: readonly { readonly address: string; readonly port: number }[];
  readonly lessons: readonly (Omit<Lesson, "frame"> & { readonly frame: string })[];
}

export interface UnderlayState {
  readonly overlays: readonly {
    readonly counters: CounterSnapshot;
    readonly learned: LearnedText;
  }[];
  readonly paths: readonly PathMemory[];
}

export interface State {
  readonly type: "state";
  /** When the old one stopped to read, by the clock that all processes of this machine share (`process.hrtime`), in ms. */
  readonly heldAt: number;
  readonly underlays: readonly UnderlayState[];
}

export interface Running {
  readonly type: "running";
}

/** What the new one says, and what the old one says. */
export type FromNew = Hello | Prepared | Running;
export type FromOld = Accepted | State | Refused;

/**
 * Reads a message. Both sides are agents of one user, and of one protocol: what is checked is that it is the message whose
 * turn it is.
 * @throws TakeOverError
 */
export function heard<M extends FromNew | FromOld, T extends M["type"]>(
  message: unknown,
  ...types: readonly T[]
): Extract<M, { type: T }> {
  const type = (message as { type?: unknown } | null | undefined)?.type;
  if (types.some((one) => one === type)) return message as Extract<M, { type: T }>;
  throw new TakeOverError(
    "TAKE_OVER_PROTOCOL",
    `the other agent said ${typeof type === "string" ? `"${type}"` : "what is no message"} where "${types.join('" or "')}" was due`,
    "look at both logs; a restart of the agent instead always works",
  );
}

/** Milliseconds of the clock that all processes of this machine share. */
export function sharedClock(): number {
  return Number(process.hrtime.bigint() / 1000n) / 1000;
}
