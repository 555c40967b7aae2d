/** Each example runs as its first lines say, on the built package, and prints what it is there to show. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { LINKTYPE_ETHERNET, PcapngWriter } from "../../src/io/pcapng.ts";
import { EXAMPLES } from "../../src/teach/examples.ts";
import { describeWith, lab, tool } from "../helpers/needs.ts";

const FOLDER = fileURLToPath(new URL("../../examples", import.meta.url));

function run(name: string, ...args: string[]): string {
  return execFileSync(process.execPath, [join(FOLDER, name), ...args], { encoding: "utf8" });
}

describeWith([], "examples", () => {
  it("header.mjs: the eight bytes by hand", () => {
    expect(run("header.mjs")).toBe("08 00 00 00 00 00 01 00\nVNI 1\ndropped: the I flag is clear\n");
    expect(run("header.mjs", "16777215")).toContain("08 00 00 00 ff ff ff 00\nVNI 16777215\n");
  });

  it("codec.mjs: put together and taken apart", () => {
    const out = run("codec.mjs");
    expect(out).toContain("97 bytes: 0242ac130003");
    expect(out).toContain("VXLAN, 42 to 49: reserved1 0x0, i set");
    expect(out).toContain("ICMP data, 92 to 96");
  });

  it("two-nodes.mjs: a two-node overlay over memory wires", () => {
    const out = run("two-nodes.mjs");
    expect(out).toContain("42 bytes in, 42 bytes out, carried over UDP 8472");
    expect(out).toContain("vni = 1");
    expect(out).toContain("targetIp = 10.244.2.0");
  });

  it("underlay.mjs: an underlay of one's own", () => {
    expect(run("underlay.mjs")).toBe(
      "over messages came: ARP who has 10.244.2.0? tell 10.244.1.0, 42 bytes\n",
    );
  });

  it("explain-pcap.mjs: a capture explained", () => {
    const folder = mkdtempSync(join(tmpdir(), "poplin-examples-"));
    try {
      const file = join(folder, "some.pcapng");
      const chunks: Uint8Array[] = [];
      const writer = new PcapngWriter((chunk) => chunks.push(chunk));
      writer.addInterface({ name: "eth0", linkType: LINKTYPE_ETHERNET });
      for (const { bytes } of Object.values(EXAMPLES)) writer.packet(0, 0n, bytes);
      writeFileSync(file, Buffer.concat(chunks));
      const out = run("explain-pcap.mjs", file);
      expect(out).toContain(
        "172.19.0.2:50300 > 172.19.0.3:8472 VXLAN vni 1 | 10.244.1.2 > 10.244.2.5 ICMP echo request",
      );
      expect(out).toContain("+ VXLAN 8               =  106  UDP payload");
      expect(out).toContain("Linux: in.");
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("are all tested", () => {
    const tested = ["codec", "explain-pcap", "header", "kernel", "two-nodes", "underlay"].map(
      (name) => `${name}.mjs`,
    );
    expect(readdirSync(FOLDER).filter((file) => file.endsWith(".mjs"))).toEqual(tested);
  });
});

describeWith([lab(), tool("ping"), tool("bridge")], "examples/kernel.mjs", () => {
  it("pings between the kernel's VXLAN and poplin, and leaves nothing", () => {
    expect(run("kernel.mjs").match(/2 packets transmitted, 2 received/g)).toHaveLength(2);
    const left = execFileSync("ip", ["netns", "list"], { encoding: "utf8" });
    expect(left).not.toMatch(/^poplin-\d+-[kp]\b/m);
  });
});
