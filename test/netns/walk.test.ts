/** `poplin walk`: the way of one ping, as it was. */
import { spawnSync } from "node:child_process";
import { expect, it } from "vitest";
import { POPLIN } from "../../src/lab/agent-process.ts";
import { explain, fieldsOf } from "../../src/teach/explanation.ts";
import { type Hop, innerFrame, steps, twinDifferences } from "../../src/teach/walk.ts";
import { fromHex, hex } from "../../src/wire/index.ts";
import { describeWith, lab, tool } from "../helpers/needs.ts";

interface Answer {
  readonly hops: readonly (Omit<Hop, "bytes"> & { readonly bytes: string })[];
  readonly twin: string | null;
}

function walk(...words: string[]): { hops: Hop[]; twin: Uint8Array | null } {
  const { stdout, stderr, status } = spawnSync(process.execPath, [POPLIN, "walk", "-j", ...words], {
    encoding: "utf8",
  });
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  const { hops, twin } = JSON.parse(stdout) as Answer;
  return {
    hops: hops.map((hop) => ({ ...hop, bytes: fromHex(hop.bytes) })),
    twin: twin === null ? null : fromHex(twin),
  };
}

const text = (bytes: Uint8Array, id: string) =>
  fieldsOf(explain(bytes)).find((field) => field.id === id)?.text;

describeWith([lab(), tool("tcpdump"), tool("ping"), tool("bridge")], "poplin walk", () => {
  it("passes ten interfaces from pod to pod, in order, with the rows that sent it on", () => {
    const { hops } = walk();
    expect(hops.map(({ host, device, direction }) => `${host} ${device} ${direction}`)).toEqual([
      "pod-a eth0 out",
      "node-a veth2 in",
      "node-a cni0 in",
      "node-a flannel.1 out",
      "node-a eth0 out",
      "node-b eth0 in",
      "node-b flannel.1 in",
      "node-b cni0 out",
      "node-b veth2 out",
      "pod-b eth0 in",
    ]);
    expect(hops.map(({ time }) => time)).toEqual(hops.map(({ time }) => time).sort((a, b) => a - b));
    const all = steps(hops);
    expect(all.map(({ grown }) => grown)).toEqual([0, 0, 0, 0, 50, 0, -50, 0, 0, 0]);
    expect(all.map(({ hop, ipBytes }) => hop.mtu - ipBytes)).toEqual(Array(10).fill(1366));
    // Routed twice, and untouched between.
    const changed = all.map(({ changes }) => changes.map(({ field }) => field.id));
    const routed = ["ethernet.destination", "ethernet.source", "ipv4.ttl", "ipv4.headerChecksum"];
    expect(changed).toEqual([[], [], [], routed, [], [], [], routed, [], []]);
    const because = hops.map((hop) => hop.because.join("; "));
    expect(because[2]).toMatch(
      /route 10\.244\.2\.2 from 10\.244\.1\.2 via 10\.244\.2\.0 dev flannel\.1.*neighbour 10\.244\.2\.0 lladdr 0a:58:0a:f4:02:00 PERMANENT/,
    );
    expect(because[3]).toBe("FDB 0a:58:0a:f4:02:00 dst 172.19.0.3 port 8472 permanent");
    expect(because[5]).toMatch(/FDB 0a:58:0a:f4:01:00 dst 172\.19\.0\.2 port 8472 permanent/);
  });

  it("has the kernel's twin beside it: the same frame, and a reason for each difference", () => {
    const { hops, twin } = walk("--size", "500");
    const datagram = hops[4]!.bytes;
    expect(hex(innerFrame(twin!)!)).toBe(hex(innerFrame(datagram)!));
    const found = twinDifferences(twin!, datagram);
    expect(found.map(({ field }) => field.id)).toContain("outer.udp.sourcePort");
    for (const { field, reason } of found) expect(reason, field.id).not.toBe("");
    expect(text(twin!, "vxlan.vni")).toBe("1");
  });

  it("also goes by a kernel's node", () => {
    const { hops, twin } = walk("--from", "kernel");
    expect(twin).toBeNull();
    expect(hops[3]!.because.join()).toMatch(/^FDB 0a:58:0a:f4:02:00 dst 172\.19\.0\.3/);
  });
});
