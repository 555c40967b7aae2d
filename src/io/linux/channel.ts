/**
 * A conversation between two processes of this machine, in messages of JSON with which open descriptors may travel
 * (`native-shims/src/unix.c`). A message longer than a packet goes in several:
 *
 *   packet   1 byte: 0 more to come, 1 the last │ up to 64 KB of text     (with up to 200 descriptors)
 *
 * Descriptors that came belong to whoever receives them; those that were sent stay the sender's, too. Nothing here waits
 * in a system call.
 */
import { loadShim, POLLIN, POLLOUT, type Watch } from "./shim.ts";

const EINTR = 4;
const EAGAIN = 11;
const EPIPE = 32;
const PACKET = 65_536;
/** The kernel takes 253 in one message (SCM_MAX_FD). */
const DESCRIPTORS = 200;
/** Milliseconds for which the other side may leave a packet lying before the next finds no room. */
const SEND_TIMEOUT = 5000;
/** Bytes after which a message is no message: a table of a million rows has some hundred. */
const LONGEST = 512 * 2 ** 20;

/** What came in: parsed, and checked by nobody. */
export interface Received {
  readonly message: unknown;
  readonly descriptors: readonly number[];
}

/** The other side has ended the conversation, or died, or did not answer in time. */
export class ChannelError extends Error {
  readonly code: "CHANNEL_CLOSED" | "CHANNEL_TIMEOUT";

  constructor(code: ChannelError["code"], message: string) {
    super(message);
    this.name = "ChannelError";
    this.code = code;
  }
}

export class Channel {
  /** Whose process the other side was when it connected, or began to listen (SO_PEERCRED). */
  readonly peer: { readonly pid: number; readonly uid: number };
  readonly #fd: number;
  readonly #shim = loadShim();
  readonly #watch: Watch;
  readonly #packet = new Uint8Array(PACKET);
  readonly #came = new Int32Array(DESCRIPTORS);
  readonly #queue: Received[] = [];
  #pieces: Buffer[] = [];
  #length = 0;
  #descriptors: number[] = [];
  #sending: Promise<void> = Promise.resolve();
  #writable: (() => void) | undefined;
  #arrived: (() => void) | undefined;
  #ended = false;
  #closed = false;

  /** Takes over a connected descriptor. */
  constructor(fd: number) {
    this.#fd = fd;
    this.peer = this.#shim.unixPeer(fd);
    this.#watch = this.#shim.watch(fd, (events) => this.#ready(events));
    this.#watch.update(POLLIN);
  }

  /** Connects to one that `ChannelServer` accepts from. @throws the shim's error: ENOENT, ECONNREFUSED where there is none */
  static connect(path: string): Channel {
    return new Channel(loadShim().unixConnect(path));
  }

  /**
   * Sends a message, whole, behind those before it.
   * @param descriptors copies of which go along
   * @throws ChannelError when the other side hears no more
   */
  send(message: unknown, descriptors: readonly number[] = []): Promise<void> {
    const sent = this.#sending.then(() => this.#send(message, descriptors));
    this.#sending = sent.catch(() => {});
    return sent;
  }

  async #send(message: unknown, descriptors: readonly number[]): Promise<void> {
    const bytes = Buffer.from(JSON.stringify(message));
    const room = PACKET - 1;
    const packets = Math.max(1, Math.ceil(bytes.length / room), Math.ceil(descriptors.length / DESCRIPTORS));
    for (let i = 0; i < packets; i++) {
      const last = i === packets - 1;
      const packet = Buffer.concat([Buffer.of(last ? 1 : 0), bytes.subarray(i * room, (i + 1) * room)]);
      await this.#sendPacket(
        packet,
        Int32Array.from(descriptors.slice(i * DESCRIPTORS, (i + 1) * DESCRIPTORS)),
      );
    }
  }

  async #sendPacket(packet: Uint8Array, descriptors: Int32Array): Promise<void> {
    const deadline = performance.now() + SEND_TIMEOUT;
    for (;;) {
      if (this.#closed) throw closed();
      if (performance.now() >= deadline)
        throw new ChannelError("CHANNEL_TIMEOUT", "it does not read what it is sent");
      const sent = this.#shim.sendDescriptors(this.#fd, packet, descriptors);
      if (sent >= 0) return;
      if (sent === -EPIPE) throw closed();
      if (sent !== -EAGAIN && sent !== -EINTR) throw new ChannelError("CHANNEL_CLOSED", `errno ${-sent}`);
      await this.#waitForRoom(deadline - performance.now());
    }
  }

  #waitForRoom(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#writable = () => {
        clearTimeout(timer);
        resolve();
      };
      this.#watch.update(POLLIN | POLLOUT);
    });
  }

  /**
   * Waits for the next message.
   * @param timeout milliseconds
   * @throws ChannelError
   */
  async receive(timeout: number): Promise<Received> {
    const deadline = performance.now() + timeout;
    for (;;) {
      const next = this.#queue.shift();
      if (next !== undefined) return next;
      if (this.#ended || this.#closed) throw closed();
      if (performance.now() >= deadline)
        throw new ChannelError("CHANNEL_TIMEOUT", `it said nothing for ${timeout / 1000} seconds`);
      await this.#wait(deadline - performance.now());
    }
  }

  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#arrived = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /**
   * Ends the conversation in one moment: what the other side sends from now on is refused, and known there to be.
   * @returns what it had sent before, and nobody had received
   */
  end(): readonly Received[] {
    if (this.#closed) return [];
    this.#shim.unixShutdown(this.#fd);
    this.#read();
    return this.#queue.splice(0);
  }

  /** Descriptors that came and were not received are closed. Safe to call twice. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#watch.stop();
    this.#shim.close(this.#fd);
    for (const fd of [...this.#descriptors, ...this.#queue.flatMap(({ descriptors }) => descriptors)])
      this.#shim.close(fd);
    this.#wake();
  }

  #ready(events: number): void {
    if (this.#closed) return;
    this.#watch.update(POLLIN);
    const writable = this.#writable;
    this.#writable = undefined;
    writable?.();
    if (events < 0 || (events & POLLIN) !== 0) this.#read();
    this.#arrived?.();
  }

  #wake(): void {
    this.#writable?.();
    this.#arrived?.();
  }

  #read(): void {
    while (!this.#ended) {
      const got = this.#shim.receiveDescriptors(this.#fd, this.#packet, this.#came);
      if (got === -EAGAIN) break;
      if (got === -EINTR) continue;
      if (got <= 0) this.#end();
      else this.#take(got);
    }
  }

  #take(got: number): void {
    this.#descriptors.push(...this.#came.filter((fd) => fd >= 0));
    this.#pieces.push(Buffer.from(this.#packet.subarray(1, got)));
    this.#length += got;
    if (this.#length > LONGEST) this.#end();
    else if (this.#packet[0] === 1) this.#complete();
  }

  #complete(): void {
    const text = Buffer.concat(this.#pieces).toString("utf8");
    const descriptors = this.#descriptors;
    this.#pieces = [];
    this.#length = 0;
    this.#descriptors = [];
    this.#queue.push({ message: parse(text), descriptors });
  }

  /** Nothing comes any more. */
  #end(): void {
    this.#ended = true;
    if (!this.#closed) this.#watch.update(0);
    this.#wake();
  }
}

function closed(): ChannelError {
  return new ChannelError("CHANNEL_CLOSED", "it has ended the conversation");
}

/** @returns undefined for what is no JSON: whoever checks the message says what is wrong with it */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
