/** What `poplin stats` prints for counters that are known, at 80 columns. */
import { describe, expect, it } from "vitest";
import { widthOf } from "../../src/cli/output.ts";
import { renderStats } from "../../src/cli/render-stats.ts";
import { FakeAgent } from "../agent/api/fake-agent.ts";

const STYLE = { width: 80, color: false };

describe("stats", () => {
  it("of an agent that has done nothing", () => {
    expect(renderStats(new FakeAgent().statsAnswer(), STYLE)).toEqual([
      "                  SENT (tx)  RECEIVED (rx)",
      "frames                    0              0",
      "bytes                   0 B            0 B",
      "batches                   0              0",
      "frames per batch          -              -",
      "waits for room            0              0",
      "dropped                   0              0",
      "",
      "nothing dropped",
    ]);
  });

  it("has batch sizes, notes where they are not zero, and each drop with its meaning", () => {
    const agent = new FakeAgent();
    agent.count("txFrames", 1230);
    agent.count("txBatches", 100);
    agent.count("rxFrames", 10);
    agent.count("rxBatches", 10);
    agent.count("rxDatagrams", 10);
    agent.count("rxPartialChecksums", 7);
    agent.drop("tx", "NO_TX_TARGET", 12);
    agent.drop("rx", "VXLAN_VNI_NOT_FOUND", 120_000);
    agent.drop("rx", "IP_TUNNEL_ECN", 1);
    const lines = renderStats(agent.statsAnswer(), STYLE);
    expect(lines).toContain("frames per batch       12.4            1.0");
    expect(lines).toContain("dropped                  12        120,001");
    const notes = lines.slice(lines.indexOf("") + 1);
    expect(notes).toEqual([
      "  7  frames whose inner checksum the sender left to us (a kernel VXLAN device on",
      "     a veth does)",
      "",
      "dropped on the way out (tx)",
      "  12  NO_TX_TARGET  no FDB row for the inner destination MAC, and none to flood",
      "                    to",
      "",
      "dropped on the way in (rx)",
      "  120,000  VXLAN_VNI_NOT_FOUND  no overlay here has this VNI",
      "        1  IP_TUNNEL_ECN        the outer header says congestion (CE), the inner",
      "                                one cannot carry it (RFC 6040)",
    ]);
    for (const line of lines) expect(widthOf(line)).toBeLessThanOrEqual(80);
  });
});
