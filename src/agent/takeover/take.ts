/**
 * The new agent's part of a take-over (`protocol.ts` has the conversation).
 *
 *   hello → accepted → everything is opened of what came, and held → prepared → state → running → released
 *
 * Whatever goes wrong before `running`, it closes what it was given, which the old one has open as well, and says why.
 * Where the old one is gone by then, nobody forwards, and the start that follows is an ordinary one.
 */
import { Channel, ChannelError } from "../../io/linux/channel.ts";
import { loadShim } from "../../io/linux/shim.ts";
import type { AgentConfig } from "../config/load.ts";
import type { Forwarding } from "../forwarding.ts";
import type { Log } from "../log.ts";
import { survey } from "../open.ts";
import { version } from "../version.ts";
import { type Gift, giftOf } from "./descriptors.ts";
import { TakeOverError } from "./errors.ts";
import { networkNamespace } from "./namespace.ts";
import {
  type Accepted,
  type FromOld,
  heard,
  PATIENCE,
  PROTOCOL,
  sharedClock,
  takeOverPath,
} from "./protocol.ts";
import { shapeOf } from "./shape.ts";
import { fillTables, restoreState } from "./tables.ts";

export class Taking {
  /** One for each underlay. */
  readonly gifts: readonly Gift[];
  /** What listens for the API, and for whoever takes over next. */
  readonly listeners: { readonly api: number; readonly takeOver: number };
  readonly #channel: Channel;
  readonly #accepted: Accepted;
  readonly #log: Log;
  #over = false;

  private constructor(
    channel: Channel,
    accepted: Accepted,
    descriptors: readonly number[],
    gifts: readonly Gift[],
    log: Log,
  ) {
    this.#channel = channel;
    this.#accepted = accepted;
    this.gifts = gifts;
    this.listeners = { api: descriptors[accepted.api]!, takeOver: descriptors[accepted.listener]! };
    this.#log = log;
  }

  /**
   * Asks the agent of this API socket to hand over.
   * @param configs one for each underlay
   * @returns null where there is none
   * @throws TakeOverError that says why it will not; HostError where the underlay is not to be found
   */
  static async begin(socket: string, configs: readonly AgentConfig[], log: Log): Promise<Taking | null> {
    const channel = connect(takeOverPath(socket));
    if (channel === null) return null;
    try {
      const { pid, uid } = channel.peer;
      if (uid !== process.geteuid!()) throw foreign(socket, pid, uid);
      const grounds = await Promise.all(configs.map(survey));
      const shapes = configs.map((config, i) => shapeOf(config, grounds[i]!));
      const hello = { protocol: PROTOCOL, version: version(), namespace: networkNamespace(), shapes };
      await channel.send({ type: "hello", ...hello });
      const { message, descriptors } = await channel.receive(PATIENCE.accepted);
      const accepted = accept(message, "accepted");
      const gifts = configs.map((config, i) =>
        giftOf(config, grounds[i]!, accepted.underlays[i]!, descriptors),
      );
      return new Taking(channel, accepted, descriptors, gifts, log);
    } catch (error) {
      channel.close();
      throw explained(error);
    }
  }

  /** Fills the tables of what has been opened of a gift. */
  async fill(forwarding: Forwarding, i: number): Promise<void> {
    await fillTables(forwarding, this.#accepted.underlays[i]!.tables);
  }

  /**
   * Takes over: when this returns, packets flow here.
   * @param forwardings opened of the gifts, in their order
   * @throws TakeOverError where the other one goes on, or is gone: then nothing has been read here
   */
  async commit(forwardings: readonly Forwarding[]): Promise<void> {
    try {
      await this.#channel.send({ type: "prepared" });
      const { message } = await this.#channel.receive(PATIENCE.state);
      const state = accept(message, "state");
      for (const [i, forwarding] of forwardings.entries())
        await restoreState(forwarding, state.underlays[i]!);
      await this.#channel.send({ type: "running" });
      this.#over = true;
      await Promise.all(forwardings.map(({ running: { engine } }) => engine.ask({ type: "release" })));
      const pause = (sharedClock() - state.heldAt).toFixed(1);
      const { pid, version: before } = this.#accepted;
      const from = `pid ${pid} (poplin ${before})`;
      this.#log.info(`taken over from ${from}: for ${pause} ms packets waited in the kernel's queues`);
    } catch (error) {
      throw explained(error);
    } finally {
      this.#channel.close();
    }
  }

  /** Ends a conversation that came to nothing, and closes what nobody has taken over. */
  abandon(): void {
    this.#channel.close();
    if (this.#over) return;
    this.#over = true;
    for (const gift of this.gifts) gift.close();
    loadShim().close(this.listeners.api);
    loadShim().close(this.listeners.takeOver);
  }
}

/** @returns null where nobody listens */
function connect(path: string): Channel | null {
  try {
    return Channel.connect(path);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ECONNREFUSED") return null;
    // A path so long that no agent can have listened there.
    if (code === "ERR_OUT_OF_RANGE") return null;
    if (code !== "EACCES" && code !== "EPERM") throw error;
    const remedy = "run the new agent as the user that the old one runs as";
    throw new TakeOverError("TAKE_OVER_PERMISSION", `${path}: ${message}`, remedy, error);
  }
}

function foreign(socket: string, pid: number, uid: number): TakeOverError {
  const message = `the agent on ${socket} (pid ${pid}) belongs to another user (${uid})`;
  return new TakeOverError("TAKE_OVER_PERMISSION", message, "run the new agent as that user");
}

/** @throws TakeOverError where it is a refusal, or not the message whose turn it is */
function accept<T extends "accepted" | "state">(message: unknown, type: T): Extract<FromOld, { type: T }> {
  const said = heard<FromOld, T | "refused">(message, type, "refused");
  if (said.type !== "refused") return said as Extract<FromOld, { type: T }>;
  const { message: why, remedy } = said as Extract<FromOld, { type: "refused" }>;
  throw new TakeOverError("TAKE_OVER_REFUSED", `the agent does not hand over: ${why}`, remedy);
}

function explained(error: unknown): unknown {
  if (!(error instanceof ChannelError)) return error;
  if (error.code === "CHANNEL_CLOSED") {
    const remedy = "look at its log, and start again";
    return new TakeOverError("TAKE_OVER_LOST", "the agent ended, or went on without us", remedy, error);
  }
  const message = `the agent does not answer: ${error.message}`;
  return new TakeOverError(
    "TAKE_OVER_TIMEOUT",
    message,
    "`poplin status` shows whether it does; restart it",
    error,
  );
}
