import { fileURLToPath } from "node:url";
import { createContext, runInContext } from "node:vm";
import { build } from "vite";
import { beforeAll, describe, expect, it } from "vitest";
import { hex } from "../../src/wire/bytes.ts";
import { PING_UDP_PAYLOAD } from "./frames.ts";

const ENTRY = fileURLToPath(new URL("../../src/wire/index.ts", import.meta.url));

/** Bundles `poplin/wire` for a browser, as a script that leaves everything in a global `wire`. */
async function bundle(): Promise<string> {
  const built = await build({
    configFile: false,
    logLevel: "error",
    build: { write: false, minify: false, lib: { entry: ENTRY, formats: ["iife"], name: "wire" } },
  });
  const outputs = Array.isArray(built) ? built : [built];
  const chunks = outputs.flatMap((one) => ("output" in one ? one.output : []));
  expect(chunks.map((chunk) => chunk.type)).toEqual(["chunk"]);
  const [chunk] = chunks;
  return chunk?.type === "chunk" ? chunk.code : "";
}

describe("poplin/wire in a browser", () => {
  let code = "";
  beforeAll(async () => {
    code = await bundle();
  }, 120_000);

  it("is bundled without anything of Node", () => {
    expect(code).not.toMatch(/\b(require|process|Buffer|__dirname)\b|node:/);
  });

  it("encodes and decodes where there are no Node globals", () => {
    const context = createContext({ payload: hex(PING_UDP_PAYLOAD) });
    runInContext(code, context);
    const run = (source: string): unknown =>
      JSON.parse(String(runInContext(`JSON.stringify(${source})`, context)));

    expect(run("[typeof process, typeof Buffer, typeof require]")).toEqual(Array(3).fill("undefined"));
    expect(run("wire.hex(wire.encode(wire.VXLAN, { i: 1, vni: 1 }))")).toBe("0800000000000100");
    expect(
      run(`wire.decodePacket(wire.fromHex(payload), { layer: "udp-payload" })
             .parts.map((part) => part.table ? part.table.name : part.kind)`),
    ).toEqual(["vxlan", "ethernet", "ipv4", "icmp-echo", "payload"]);
    expect(run("wire.checksum(wire.fromHex(payload), 22, 20)")).toBe(0);
    expect(
      run(`(() => {
        const out = new wire.Location();
        const bytes = wire.fromHex(payload);
        wire.locate(bytes, 8, bytes.length - 8, out);
        return [out.version, out.protocol, out.l4At, wire.readVni(bytes, 0)];
      })()`),
    ).toEqual([4, 1, 42, 1]);
  });
});
