/**
 * The old agent's part of a take-over (`protocol.ts` has the conversation): it listens beside its API, for processes of
 * its own user, and talks to one at a time.
 *
 *   hello → the same shape? → accepted, while it goes on forwarding → prepared → hold: what has been read is sent →
 *   state → running → it leaves, and undoes nothing
 *
 * Until `running` it keeps everything open: whatever goes wrong, it goes on as if nothing had been. While it talks nothing
 * else is done to the agent (`serial.ts`): what was asked for meanwhile comes afterwards, or finds it gone.
 */
import type { Channel } from "../../io/linux/channel.ts";
import { ChannelServer } from "../../io/linux/channel-server.ts";
import { loadShim } from "../../io/linux/shim.ts";
import type { Forwarding } from "../forwarding.ts";
import type { Forwardings } from "../forwardings.ts";
import type { Log } from "../log.ts";
import type { Serial } from "../serial.ts";
import { version } from "../version.ts";
import { describeUnderlay } from "./descriptors.ts";
import { type FromNew, type Hello, heard, PATIENCE, type State, sharedClock } from "./protocol.ts";
import { RESTART, refusalOf } from "./refusal.ts";
import { describeState } from "./tables.ts";

export interface GiverParts {
  /** What accepts conversations, and what listens for the API; both stay the caller's. */
  readonly listener: number;
  readonly api: number;
  readonly serial: Serial;
  readonly forwardings: Forwardings;
  readonly log: Log;
  /** Called when the other one forwards: closes everything and undoes nothing. */
  readonly leave: (pid: number) => Promise<void>;
}

export class Giver {
  readonly #parts: GiverParts;
  readonly #server: ChannelServer;
  #talking: Channel | undefined;

  constructor(parts: GiverParts) {
    this.#parts = parts;
    this.#server = new ChannelServer(parts.listener, (channel) => void this.#accepted(channel));
  }

  /** Talks no more; a conversation that is under way ends. Safe to call twice. */
  close(): void {
    this.#server.close();
    this.#talking?.close();
  }

  async #accepted(channel: Channel): Promise<void> {
    const { log } = this.#parts;
    const { pid, uid } = channel.peer;
    try {
      const hello = await receive(channel, PATIENCE.hello, "hello");
      // The file's mode says the same, but root may open it whatever it says.
      if (uid !== process.geteuid!()) await refuse(channel, `it belongs to another user (${uid})`, RESTART);
      else if (this.#talking !== undefined) {
        const other = this.#talking.peer.pid;
        await refuse(channel, `pid ${other} is taking over already`, "wait until it has, or has failed");
      } else await this.#talk(channel, hello);
    } catch (error) {
      log.warn(`pid ${pid} wanted to take over, and has not: ${(error as Error).message}`);
    } finally {
      if (this.#talking === channel) this.#talking = undefined;
      channel.close();
    }
  }

  async #talk(channel: Channel, hello: Hello): Promise<void> {
    this.#talking = channel;
    await this.#parts.serial.run(async () => {
      const refusal = refusalOf(hello, this.#parts.forwardings.places);
      if (refusal !== null) {
        await refuse(channel, refusal.message, refusal.remedy);
        throw new Error(refusal.message);
      }
      await this.#give(channel);
    });
  }

  async #give(channel: Channel): Promise<void> {
    const { api, listener, forwardings } = this.#parts;
    const { running } = forwardings;
    const descriptors: number[] = [];
    const place = (fd: number): number => descriptors.push(fd) - 1;
    const underlays = await Promise.all(running.map((forwarding) => describeUnderlay(forwarding, place)));
    const listeners = { api: place(api), listener: place(listener) };
    await channel.send(
      { type: "accepted", version: version(), pid: process.pid, ...listeners, underlays },
      descriptors,
    );
    await receive(channel, PATIENCE.prepared, "prepared");
    try {
      await hold(channel, running);
      await handOver(channel, running);
    } catch (error) {
      // A dataplane that has ended meanwhile is somebody else's matter (`forwardings.ts`).
      const releases = running.map(({ running: { engine } }) => engine.ask({ type: "release" }));
      await Promise.allSettled(releases);
      throw error;
    }
    await this.#parts.leave(channel.peer.pid);
  }
}

/** Everything that has been read is sent, and nothing more is read. @throws Error where a port takes nothing */
async function hold(channel: Channel, running: readonly Forwarding[]): Promise<void> {
  const held = await Promise.all(running.map(({ running: { engine } }) => engine.ask({ type: "hold" })));
  if (held.every((one) => one)) return;
  const message = "what it has read could not be sent at once: the underlay or the device takes no more";
  await refuse(channel, message, "try again when there is less traffic");
  throw new Error(message);
}

/** @returns once the other one forwards. @throws Error where he never will */
async function handOver(channel: Channel, running: readonly Forwarding[]): Promise<void> {
  const heldAt = sharedClock();
  try {
    const underlays = await Promise.all(running.map(describeState));
    await channel.send({ type: "state", heldAt, underlays } satisfies State);
    await receive(channel, PATIENCE.running, "running");
  } catch (error) {
    // He may have said it in this very moment.
    const last = channel
      .end()
      .some(({ message }) => (message as { type?: unknown } | null)?.type === "running");
    if (!last) throw error;
  }
}

async function receive<T extends FromNew["type"]>(
  channel: Channel,
  timeout: number,
  type: T,
): Promise<Extract<FromNew, { type: T }>> {
  const { message, descriptors } = await channel.receive(timeout);
  for (const fd of descriptors) loadShim().close(fd); // none is wanted
  return heard<FromNew, T>(message, type);
}

async function refuse(channel: Channel, message: string, remedy: string): Promise<void> {
  await channel.send({ type: "refused", message, remedy });
}
