import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { playDemo } from "../../../src/lab/demo/demo.ts";
import { MemoryStage } from "../../../src/lab/demo/memory-stage.ts";
import type { DemoView, FirstPacket, Measured, NodeReport } from "../../../src/lab/demo/stage.ts";
import { decodePacket } from "../../../src/wire/index.ts";

describe("the demo in memory", () => {
  let stage: MemoryStage;
  beforeEach(async () => {
    stage = await MemoryStage.start("a test asks for it");
  });
  afterEach(() => stage.close());

  it("pings every pair, sees the first packet, and has every node's word that nothing was dropped", async () => {
    const rows: (Measured | null)[][] = [];
    const nodes: NodeReport[] = [];
    let packet: FirstPacket | { problem: string } | undefined;
    const view: DemoView = {
      scene: () => {},
      matrix: () => {},
      row: (_from, cells) => rows.push([...cells]),
      packet: (seen) => {
        packet = seen;
      },
      node: (report) => nodes.push(report),
    };
    expect(await playDemo(stage, view)).toBe(true);
    expect(rows.map((row) => row.map((cell) => cell?.ok ?? null))).toEqual([
      [null, true, true],
      [true, null, true],
      [true, true, null],
    ]);
    expect(packet).toMatchObject({ layer: "ip" });
    // The first ping more than the others: 1 + 3 to each peer, and as many answers.
    expect(nodes.map(({ sent, received, drops }) => [sent.frames, received.frames, drops])).toEqual([
      [13, 13, {}],
      [13, 13, {}],
      [12, 12, {}],
    ]);
  });

  it("the first packet is the study's ping: 106 bytes of UDP payload to port 8472, VNI 1, TTL 63 inside", async () => {
    const packet = (await stage.firstPacket()) as FirstPacket;
    const { parts, notes } = decodePacket(packet.bytes, { layer: packet.layer });
    const headers = parts.flatMap((part) =>
      "values" in part ? [[part.table.name, part.values] as const] : [],
    );
    expect(notes).toEqual([]);
    expect(headers.map(([name]) => name)).toEqual(["ipv4", "udp", "vxlan", "ethernet", "ipv4", "icmp-echo"]);
    expect(headers[1]![1]).toMatchObject({ destinationPort: 8472, length: 8 + 106 });
    expect(headers[2]![1]).toMatchObject({ i: 1, vni: 1 });
    expect(headers[4]![1]).toMatchObject({ ttl: 63, dontFragment: 1 });
  });

  it("a pod that does not answer is a failure in words, and fails the demo", async () => {
    await stage.stopNode(1);
    expect(await stage.ping(0, 1)).toEqual({ ok: false, problem: "no answer to ping 1 of 3" });
    expect(await stage.ping(0, 2)).toMatchObject({ ok: true });
  });
});
