/** Every underlay there is, and middleware, held to one contract. */
import { networkInterfaces } from "node:os";
import type { Underlay } from "../../src/dataplane/ports.ts";
import { DgramUnderlay } from "../../src/io/dgram.ts";
import { BatchUnderlay } from "../../src/io/linux/batch.ts";
import { PLAIN_SOCKET, type UdpSocketOptions } from "../../src/io/linux/shim.ts";
import { openUdp } from "../../src/io/linux/udp.ts";
import { MemoryNetwork } from "../../src/io/memory.ts";
import { FaultyUnderlay, traceUnderlay } from "../../src/io/middleware.ts";
import { RawUnderlay } from "../../src/io/raw.ts";
import { describeWith, type Need, optionalPackage, root, shim } from "../helpers/needs.ts";
import type { Opened } from "./node.ts";
import { underlayContract } from "./underlay.contract.ts";
import type { Subject } from "./underlay-opener.ts";

const LOOPBACK = {
  4: { text: "127.0.0.1", bytes: Uint8Array.of(127, 0, 0, 1) },
  6: { text: "::1", bytes: Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1) },
} as const;
const BROADCAST = Uint8Array.of(255, 255, 255, 255);
/** node:dgram's send buffers: see `dgram.ts`. */
const DGRAM_BUFFERS = 256;
/** Datagrams that wait in a memory port: see `memory/network.ts`. */
const MEMORY_QUEUE = 256;

function ipv6(): Need {
  const loopback = Object.values(networkInterfaces()).flat();
  return loopback.some((one) => one?.address === "::1") ? null : "needs IPv6 on the loopback interface";
}

function options(family: 4 | 6, port: number): UdpSocketOptions {
  return {
    ...PLAIN_SOCKET,
    family,
    address: LOOPBACK[family].text,
    port,
    receiveBuffer: 8 << 20,
    sendBuffer: 1 << 20,
  };
}

function opened(underlay: Underlay, family: 4 | 6, port: number): Opened {
  return { underlay, address: LOOPBACK[family].bytes, port };
}

function batch(family: 4 | 6, port = 0): Opened {
  const socket = openUdp(options(family, port));
  return opened(new BatchUnderlay(socket, { family, checksum: "computed" }), family, socket.port);
}

function memory(family: 4 | 6, wrap = (underlay: Underlay): Underlay => underlay): Subject {
  const network = new MemoryNetwork({ whenFull: "wait" });
  let free = 20_000;
  const open = (port: number): Opened => {
    const address = LOOPBACK[family].bytes;
    const bound = port || free++;
    const underlay = network.attach({ address, port: bound, datagrams: MEMORY_QUEUE });
    return opened(wrap(underlay), family, bound);
  };
  return { kind: "memory", family, open, witness: () => open(0), taken: MEMORY_QUEUE };
}

describeWith([], "memory", () => {
  underlayContract("IPv4", memory(4));
  underlayContract("IPv6", memory(6));
});

describeWith([], "middleware over memory", () => {
  underlayContract(
    "trace",
    memory(4, (underlay) => traceUnderlay(underlay, () => {})),
  );
  underlayContract(
    "faults, none of them likely",
    memory(4, (underlay) => new FaultyUnderlay(underlay, { seed: 1 })),
  );
});

for (const family of [4, 6] as const) {
  const needs = [shim(), family === 6 ? ipv6() : null];
  const title = `IPv${family}`;
  const common = {
    family,
    witness: () => batch(family),
    ...(family === 4 ? { refused: BROADCAST } : {}),
  };

  describeWith(needs, "batch", () => {
    underlayContract(title, { ...common, kind: "batch", open: (port) => batch(family, port) });
  });

  describeWith(needs, "dgram", () => {
    const open = async (port: number): Promise<Opened> => {
      const underlay = await DgramUnderlay.open(options(family, port));
      return opened(underlay, family, underlay.port);
    };
    underlayContract(title, { ...common, kind: "dgram", open, taken: DGRAM_BUFFERS });
  });
}

describeWith([shim(), root(), optionalPackage("raw-socket")], "raw", () => {
  const open = (port: number): Opened => {
    const underlay = RawUnderlay.open(options(4, port));
    return opened(underlay, 4, underlay.port);
  };
  underlayContract("IPv4", { family: 4, kind: "raw", open, witness: () => batch(4), refused: BROADCAST });
});
