/**
 * Stands between two agents that talk about a take-over, passes on what they say with all descriptors, and says when
 * which message goes by: so one of them can be killed at every step.
 *
 *   new agent ── X.takeover (the relay's) ── X.takeover.real (the old agent's)
 */
import { existsSync, renameSync, rmSync } from "node:fs";
import { takeOverPath } from "../../../src/agent/takeover/protocol.ts";
import { Channel } from "../../../src/io/linux/channel.ts";
import { ChannelServer } from "../../../src/io/linux/channel-server.ts";
import { loadShim } from "../../../src/io/linux/shim.ts";

/** A message of the conversation. */
export type Step = "hello" | "accepted" | "prepared" | "state" | "running";

/** Told of each message before it is passed on. @returns false to pass on nothing any more */
export type Passing = (step: Step) => Promise<boolean>;

const PATIENCE = 30_000;

export class Relay {
  readonly #path: string;
  readonly #real: string;
  readonly #fd: number;
  readonly #server: ChannelServer;
  readonly #passing: Passing;
  readonly #channels: Channel[] = [];

  /** @param socket the API's, of a running agent */
  constructor(socket: string, passing: Passing) {
    this.#path = takeOverPath(socket);
    this.#real = `${this.#path}.real`;
    this.#passing = passing;
    renameSync(this.#path, this.#real);
    this.#fd = loadShim().unixListen(this.#path, true, 8);
    this.#server = new ChannelServer(this.#fd, (channel) => this.#accepted(channel));
  }

  #accepted(fromNew: Channel): void {
    const fromOld = Channel.connect(this.#real);
    this.#channels.push(fromNew, fromOld);
    void this.#pass(fromNew, fromOld);
    void this.#pass(fromOld, fromNew);
  }

  async #pass(from: Channel, to: Channel): Promise<void> {
    try {
      for (;;) {
        const { message, descriptors } = await from.receive(PATIENCE);
        const goesOn = await this.#passing((message as { type: Step }).type);
        if (goesOn) await to.send(message, descriptors);
        for (const fd of descriptors) loadShim().close(fd);
        if (!goesOn) break;
      }
    } catch {
      // One of them has ended: so does the conversation.
    }
    from.close();
    to.close();
  }

  /** Goes out of the way. */
  close(): void {
    this.#server.close();
    for (const channel of this.#channels) channel.close();
    loadShim().close(this.#fd);
    if (!existsSync(this.#real)) return;
    rmSync(this.#path, { force: true });
    renameSync(this.#real, this.#path);
  }
}
