import Module from "node:module";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { afterEach, expect, it } from "vitest";
import type { UdpSocketOptions } from "../../../src/io/linux/shim.ts";
import { RawSocket } from "../../../src/io/raw/socket.ts";
import { errnoOf } from "../../../src/io/raw/strerror.ts";
import { RawSocketError, RawUnderlay } from "../../../src/io/raw.ts";
import { describeWith, optionalPackage, root, shim } from "../../helpers/needs.ts";
import { udpOptions } from "../linux/sockets.ts";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const open: { close(): void }[] = [];

afterEach(() => {
  for (const one of open.splice(0)) one.close();
});

function openIt(overrides: Partial<UdpSocketOptions> = {}): RawUnderlay {
  const underlay = RawUnderlay.open(udpOptions(overrides));
  open.push(underlay);
  return underlay;
}

function failure(attempt: () => unknown): unknown {
  try {
    attempt();
  } catch (error) {
    return error;
  }
  throw new Error("it opened");
}

/** Runs `body` while `require("raw-socket")` throws `error`. */
function withoutPackage<T>(error: Error, body: () => T): T {
  const internals = Module as unknown as { _load(request: string, ...rest: unknown[]): unknown };
  const load = internals._load;
  internals._load = (request, ...rest) => {
    if (request === "raw-socket") throw error;
    return load.call(Module, request, ...rest);
  };
  try {
    return body();
  } finally {
    internals._load = load;
  }
}

describeWith([shim(), root(), optionalPackage("raw-socket")], "a raw socket", () => {
  it("reports both buffers, beyond the machine's limit for root", () => {
    const underlay = openIt({ receiveBuffer: 123_456, sendBuffer: 100 << 20 });
    expect(underlay).toMatchObject({ receiveBuffer: 246_912, sendBuffer: 200 << 20, warnings: [] });
    expect(openIt({ receiveBuffer: 0, sendBuffer: 0 }).sendBuffer).toBeGreaterThan(0);
  });

  it("tells the errno behind each refusal that can be had here", () => {
    const socket = new RawSocket(0);
    open.push(socket);
    const packet = Buffer.alloc(65_535);
    packet[0] = 0x45;
    expect(socket.send(packet, 28, "255.255.255.255")).toBe(13); // EACCES
    expect(socket.send(packet, 65_535 + 1, "127.0.0.1")).toBe(90); // EMSGSIZE
    expect(socket.send(packet, 10, "127.0.0.1")).toBe(22); // EINVAL: shorter than an IP header
    expect(errnoOf(new Error("words that nobody has used"))).toBe(5);
  });

  it("is not opened where the port is taken, and leaves no raw socket behind", () => {
    const { port } = openIt();
    expect(failure(() => openIt({ port }))).toMatchObject({ code: "POPLIN_PORT_TAKEN" });
  });

  it("is not for IPv6", () => {
    const error = failure(() => openIt({ family: 6 }));
    expect(error).toBeInstanceOf(RawSocketError);
    expect(error).toMatchObject({ code: "RAW_SOCKET_FAMILY", remedy: expect.stringContaining("batch") });
  });

  it("says what is missing when the package does not load", () => {
    const error = withoutPackage(new Error("Cannot find module 'raw-socket'\nRequire stack:"), () =>
      failure(() => openIt()),
    );
    expect(error).toMatchObject({
      name: "RawSocketError",
      code: "RAW_SOCKET_MISSING",
      message: expect.stringMatching(
        /"raw-socket".*: Cannot find module 'raw-socket'; install.*npm install raw-socket/,
      ),
    });
    openIt();
  });

  it("says what it takes when it is not allowed", () => {
    process.seteuid!(65_534);
    try {
      expect(failure(() => openIt())).toMatchObject({
        code: "RAW_SOCKET_PERMISSION",
        remedy: expect.stringContaining("CAP_NET_RAW"),
      });
    } finally {
      process.seteuid!(0);
    }
  });

  it("is refused outside the main thread", async () => {
    const script = `
      const { parentPort } = require("node:worker_threads");
      import("vite").then(async ({ runnerImport }) => {
        const options = { configFile: false, logLevel: "error", root: process.cwd() };
        const { module } = await runnerImport(${JSON.stringify(`${ROOT}src/io/raw/socket.ts`)}, options);
        try {
          new module.RawSocket(0).close();
          parentPort.postMessage("it opened");
        } catch ({ code, message }) {
          parentPort.postMessage(code ?? message);
        }
      });`;
    const worker = new Worker(script, { eval: true });
    const said = await new Promise((resolve, reject) => {
      worker.once("message", resolve);
      worker.once("error", reject);
    });
    await worker.terminate();
    expect(said).toBe("RAW_SOCKET_THREAD");
  });
});
