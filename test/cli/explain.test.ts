/** `poplin explain` as a process: what it takes, what it prints, and what it says of what is no packet. */
import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readCapture } from "../../src/io/capture-reader.ts";
import { LINKTYPE_ETHERNET, PcapngWriter } from "../../src/io/pcapng.ts";
import { EXAMPLES } from "../../src/teach/examples.ts";
import { hex } from "../../src/wire/index.ts";
import { describeWith, tool } from "../helpers/needs.ts";
import { CommandLine } from "./command.ts";

const MAIN = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

let cli: CommandLine;
beforeEach(() => {
  cli = new CommandLine();
});
afterEach(() => cli.close());

/** What it prints of standard input. */
function piped(
  input: Uint8Array | string,
  ...args: string[]
): { stdout: string; stderr: string; status: number | null } {
  return spawnSync(process.execPath, [MAIN, "explain", "-", ...args], { input, encoding: "utf8" });
}

/** A capture of all examples. */
function capture(): Uint8Array {
  const chunks: Uint8Array[] = [];
  const writer = new PcapngWriter((chunk) => chunks.push(chunk));
  writer.addInterface({ name: "eth0", linkType: LINKTYPE_ETHERNET });
  for (const { bytes, what } of Object.values(EXAMPLES)) writer.packet(0, 0n, bytes, { comment: what });
  return Buffer.concat(chunks);
}

describe("poplin explain", () => {
  it("explains an example in full: the bytes, the sizes, each field, the verdicts; within 80 columns", async () => {
    const { code, stdout, stderr } = await cli.poplin("explain --example ping");
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    for (const line of [
      "  + VXLAN 8               =  106  UDP payload",
      "  + Ethernet 14           =  148  on the wire",
      "  VNI  00 00 01  1",
      "      bytes 46 to 48, bits 368 to 391; RFC 7348 section 5",
      "At a VTEP that has VNI 1 and listens to UDP port 8472:",
      "  Linux     let in",
    ]) {
      expect(stdout.split("\n")).toContain(line);
    }
    for (const line of stdout.split("\n")) expect(line.length, line).toBeLessThanOrEqual(80);
  });

  it("takes bytes, a file with them, a capture, and standard input with either, and says what it takes them for", async () => {
    const { bytes } = EXAMPLES.ping;
    const payload = hex(bytes.subarray(42), 0, 106, " ");
    const typed = await cli.poplin(`explain ${payload} --level short`);
    expect(typed.stdout).toMatch(
      /^what was typed\nTaken for what a UDP datagram carries: a VXLAN header and a frame:/,
    );
    expect(typed.stdout).toContain("\n  4 00 00 01          VNI              1 ");
    const file = join(cli.folder, "packet.txt");
    writeFileSync(file, payload);
    expect((await cli.poplin(`explain ${file} --level short`)).stdout).toContain("VNI              1 ");
    expect(piped(payload, "--level", "short").stdout).toContain("VNI              1 ");
    expect(piped(hex(bytes.subarray(50)), "--level", "short").stdout).toMatch(/Taken for an Ethernet frame/);
    expect(piped(hex(bytes.subarray(50)), "--layer", "udp-payload", "--level", "short").stdout).not.toContain(
      "Taken for",
    );
  });

  it("lists the packets of a capture, and explains one, with what somebody has written beside it", async () => {
    const file = join(cli.folder, "all.pcapng");
    writeFileSync(file, capture());
    const { stdout } = await cli.poplin(`explain ${file}`);
    expect(stdout.split("\n")[0]).toMatch(/^1 {2}172\.19\.0\.2:50300 > 172\.19\.0\.3:8472 VXLAN vni 1/);
    expect(stdout).toContain("6 packets; --packet N explains one");
    const one = await cli.poplin(`explain ${file} --packet 3 --level short`);
    expect(one.stdout).toMatch(/^packet 3 of .*\n# an ARP request on an overlay that learns\n/);
    const none = await cli.poplin(`explain ${file} --packet 7`);
    expect({ code: none.code, stderr: none.stderr }).toEqual({
      code: 2,
      stderr: "poplin: there is no packet 7\n  → the last one is 6\n",
    });
    expect(piped(capture(), "--packet", "1", "--level", "short").stdout).toContain("148 bytes");
  });

  it("explains it with other values, and what becomes of it then", async () => {
    const { stdout } = await cli.poplin("explain --example ping --set flags.i=0 --level short");
    expect(stdout).toContain("  Linux     dropped: VXLAN_INVALID_HDR by vxlan.i (bit 340)");
    const broken = await cli.poplin("explain --example ping --set outer.ttl=1 --no-repair --level short");
    expect(broken.stdout).toContain("0x1008 wrong, right is 0x4f08");
    expect(broken.stdout).toContain("dropped: IP_CSUM");
    const other = await cli.poplin("explain --example ping --vni 7 --level short");
    expect(other.stdout).toContain("dropped: VXLAN_VNI_NOT_FOUND by vxlan.vni (bits 368 to 391)");
  });

  it("as JSON, diagram, SVG and HTML", async () => {
    const json = JSON.parse((await cli.poplin("explain --example ping -j")).stdout);
    expect(json).toMatchObject({ schema: 1, length: 148, guess: null, verdicts: { poplin: { fate: "in" } } });
    expect(json.parts.map(({ id }: { id: string }) => id)).toEqual(
      "outer.ethernet outer.ipv4 outer.udp vxlan inner.ethernet inner.ipv4 inner.icmp-echo inner.payload".split(
        " ",
      ),
    );
    expect((await cli.poplin("explain --example ping --ascii-diagram")).stdout).toContain(
      "    |                    VNI: 1                     |reserved: 0x00 |\n",
    );
    expect((await cli.poplin("explain --example ping --svg")).stdout).toMatch(/^<svg [^>]*>.*<\/svg>\n$/s);
    const html = (await cli.poplin("explain --example ping --html")).stdout;
    expect(html).toMatch(/^<!doctype html>/);
    expect(html).not.toMatch(/(src|href)=/);
  });

  it.each([
    ["", "there is nothing to explain: name a file, or give bytes"],
    ["nofile.pcap", '"nofile.pcap" is no file, and as bytes: line 1: "n" is no hexadecimal digit'],
    ["080", "the last byte has one digit: a byte is two"],
    ["--example ping 08", "an example and a packet are two"],
    ["--example ping --set ttl=1", '"ttl" may be outer.ipv4.ttl and inner.ipv4.ttl: write more of it'],
    ["--example ping --set vni", '"vni" assigns nothing: write field=value, such as vni=2'],
    ["--example pong", "Allowed choices are ping, tcp, arp, ipv6, vlan, gbp"],
  ])("%s: 2, and what to do", async (words, message) => {
    const { code, stdout, stderr } = await cli.poplin(`explain ${words}`);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr.replace(/\s+/g, " ")).toContain(message);
  });
});

describeWith([tool("tshark")], "what it writes as pcapng", () => {
  it("is both sides of the tunnel, read back and opened by tshark, which the command that is printed tells to decode it", async () => {
    const file = join(cli.folder, "ping.pcapng");
    const { stderr } = await cli.poplin(
      `explain --example ping --set flags.i=0 --level short --write ${file}`,
    );
    expect(stderr).toBe(`written; wireshark -d udp.port==8472,vxlan ${file}\n`);
    const { interfaces, packets, problem } = readCapture(readFileSync(file));
    expect(problem).toBeUndefined();
    expect(interfaces.map(({ name }) => name)).toEqual(["underlay", "overlay"]);
    expect(packets.map(({ bytes }) => bytes.length)).toEqual([148, 98]);
    expect(packets[0]!.comment).toMatch(
      /^outer Ethernet, 14 bytes: destination .*\nVXLAN, 8 bytes: I clear, VNI 1\n.*Linux: dropped, VXLAN_INVALID_HDR\n/s,
    );
    const fields = ["frame.interface_name", "frame.comment", "vxlan.vni", "ip.dst"].flatMap((name) => [
      "-e",
      name,
    ]);
    const out = execFileSync(
      "tshark",
      ["-r", file, "-d", "udp.port==8472,vxlan", "-T", "fields", ...fields],
      {
        encoding: "utf8",
        stdio: ["ignore", "pipe", "ignore"],
      },
    );
    const [underlay, overlay] = out.trim().split("\n");
    expect(underlay).toMatch(
      /^underlay\t.*poplin: dropped, VXLAN_INVALID_HDR\t1\t172\.19\.0\.3,10\.244\.2\.5$/,
    );
    expect(overlay).toMatch(/^overlay\tinner Ethernet, 14 bytes: .*\t\t10\.244\.2\.5$/);
  });
});
