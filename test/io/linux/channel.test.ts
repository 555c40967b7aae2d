import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Channel } from "../../../src/io/linux/channel.ts";
import { ChannelServer } from "../../../src/io/linux/channel-server.ts";
import { loadShim, POLLIN } from "../../../src/io/linux/shim.ts";

const shim = loadShim();
/** Milliseconds for what has been said already. */
const SOON = 5000;
let folder: string;
let path: string;
let listener: number;
let server: ChannelServer;
let open: Channel[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "poplin-channel-"));
  path = join(folder, "socket");
  listener = shim.unixListen(path, true, 8);
  open = [];
});
afterEach(() => {
  server?.close();
  for (const channel of open) channel.close();
  shim.close(listener);
  rmSync(folder, { recursive: true });
});

/** Both ends of a conversation. */
async function connected(): Promise<[Channel, Channel]> {
  const accepted = new Promise<Channel>((resolve) => {
    server = new ChannelServer(listener, resolve);
  });
  const here = Channel.connect(path);
  open.push(here, await accepted);
  return [here, await accepted];
}

function descriptors(): number {
  return readdirSync("/proc/self/fd").length;
}

describe("a channel", () => {
  it("is for its owner alone, and knows who is at the other end", async () => {
    expect(statSync(path).mode & 0o777).toBe(0o600);
    for (const channel of await connected())
      expect(channel.peer).toEqual({ pid: process.pid, uid: process.getuid!() });
  });

  it("carries messages both ways, in order, however long", async () => {
    const [a, b] = await connected();
    const long = { text: "ö".repeat(3_000_000), list: Array.from({ length: 100_000 }, (_, i) => i) };
    const sent = Promise.all([a.send({ first: 1 }), a.send(long), a.send([]), b.send("back")]);
    expect((await b.receive(SOON)).message).toEqual({ first: 1 });
    expect((await b.receive(SOON)).message).toEqual(long);
    expect((await b.receive(SOON)).message).toEqual([]);
    expect((await a.receive(SOON)).message).toBe("back");
    await sent;
  });

  it("carries descriptors, more than fit a packet: each is the very same open file", async () => {
    const [a, b] = await connected();
    const events = Array.from({ length: 450 }, () => shim.eventOpen());
    await a.send({ many: true }, events);
    const { descriptors: came, message } = await b.receive(SOON);
    expect([message, came.length]).toEqual([{ many: true }, 450]);
    for (const i of [0, 199, 200, 449]) {
      const set = Int32Array.of(came[i]!, POLLIN, 0);
      expect(shim.poll(set, 0)).toBe(0);
      shim.eventSignal(events[i]!);
      expect(shim.poll(set, 0)).toBe(1);
    }
    for (const fd of [...events, ...came]) shim.close(fd);
  });

  it("closes what came and nobody has received", async () => {
    const [a, b] = await connected();
    const event = shim.eventOpen();
    const before = descriptors();
    await a.send({}, [event, event, event]);
    await a.send("second");
    // Read from the socket, but not from the channel: whoever waits gets the older one.
    const { descriptors: received } = await b.receive(SOON);
    expect([received.length, descriptors()]).toEqual([3, before + 3]);
    await a.send({}, [event, event]);
    await a.send({}, [event]);
    expect((await b.receive(SOON)).message).toBe("second");
    expect((await b.receive(SOON)).descriptors).toHaveLength(2);
    for (const fd of received) shim.close(fd);
    b.close();
    // Those two are whose who received them, and the channel's own is gone.
    expect(descriptors()).toBe(before + 2 - 1);
    shim.close(event);
  });

  it("says when the other side is gone, after what it said last", async () => {
    const [a, b] = await connected();
    await b.send("the last word");
    b.close();
    expect((await a.receive(SOON)).message).toBe("the last word");
    await expect(a.receive(SOON)).rejects.toMatchObject({ code: "CHANNEL_CLOSED" });
    await expect(a.send("too late")).rejects.toMatchObject({ code: "CHANNEL_CLOSED" });
  });

  it("wakes who waits when it is closed here, or there", async () => {
    const [a, b] = await connected();
    const waiting = [a, b].map((one) =>
      expect(one.receive(SOON)).rejects.toMatchObject({ code: "CHANNEL_CLOSED" }),
    );
    a.close();
    a.close();
    await Promise.all(waiting);
  });

  it("does not wait for ever for a word", async () => {
    const [a] = await connected();
    await expect(a.receive(30)).rejects.toMatchObject({ code: "CHANNEL_TIMEOUT" });
  });

  it("ends in one moment: what was said before is heard, and who speaks after it knows that he is not", async () => {
    const [a, b] = await connected();
    await a.send("just in time");
    expect(b.end().map(({ message }) => message)).toEqual(["just in time"]);
    await expect(a.send("too late")).rejects.toMatchObject({ code: "CHANNEL_CLOSED" });
    expect(b.end()).toEqual([]);
  });

  it("gives what is no JSON as undefined, and goes on", async () => {
    const [a, b] = await connected();
    const raw = shim.unixConnect(path);
    const third = await new Promise<Channel>((resolve) => {
      server.close();
      server = new ChannelServer(listener, resolve);
    });
    open.push(third);
    shim.sendDescriptors(raw, Uint8Array.of(1, 0x7b), new Int32Array(0));
    expect((await third.receive(SOON)).message).toBeUndefined();
    shim.close(raw);
    await a.send("still");
    expect((await b.receive(SOON)).message).toBe("still");
  });

  it("there is none where nobody listens", () => {
    expect(() => Channel.connect(`${path}.none`)).toThrow(/ENOENT/);
    shim.close(listener);
    expect(() => Channel.connect(path)).toThrow(/ECONNREFUSED/);
    listener = shim.eventOpen(); // for afterEach to close
  });
});
