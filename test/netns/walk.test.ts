/** `poplin walk`: the way of one ping, as it was. */
import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { POPLIN } from "../../src/lab/agent-process.ts";
import { Cluster } from "../../src/lab/cluster.ts";
import { listNamespaces } from "../../src/lab/netns.ts";
import { explain, fieldsOf } from "../../src/teach/explanation.ts";
import { innerFrame, steps, twinDifferences } from "../../src/teach/walk.ts";
import { readWalk, type Walk } from "../../src/teach/walk-json.ts";
import { hex } from "../../src/wire/index.ts";
import { describeWith, lab, tool } from "../helpers/needs.ts";

function walk(...words: string[]): Walk {
  const { stdout, stderr, status } = spawnSync(process.execPath, [POPLIN, "walk", "-j", ...words], {
    encoding: "utf8",
  });
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  return readWalk(stdout)!;
}

const RECORDED = readWalk(
  readFileSync(new URL("../../src/web/recorded-walk.json", import.meta.url), "utf8"),
)!;

/** What is the same in each walk: the way, and what happens on it. */
const shape = ({ hops }: Walk) =>
  steps(hops).map(({ hop, grown, changes, ipBytes }) => {
    const { host, device, direction, what, mtu, because } = hop;
    const tables = because.map((row) => row.split(" ")[0]);
    return {
      host,
      device,
      direction,
      what,
      mtu,
      tables,
      grown,
      ipBytes,
      changes: changes.map((c) => c.field.id),
    };
  });

const text = (bytes: Uint8Array, id: string) =>
  fieldsOf(explain(bytes)).find((field) => field.id === id)?.text;

describeWith([lab(), tool("tcpdump"), tool("ping"), tool("bridge"), tool("tshark")], "poplin walk", () => {
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

  it("is written as pcapng, an interface for each hop and what happened there as a comment, which tshark reads", () => {
    const file = join(tmpdir(), `poplin-walk-${process.pid}.pcapng`);
    try {
      const words = [POPLIN, "walk", "-j", "-w", file];
      const { stdout, stderr } = spawnSync(process.execPath, words, { encoding: "utf8" });
      expect(stderr).toBe(`written; wireshark -d udp.port==8472,vxlan ${file}\n`);
      const { hops } = readWalk(stdout)!;
      const fields = ["frame.interface_name", "frame.len", "frame.comment"].flatMap((name) => ["-e", name]);
      const asked = ["-r", file, "-d", "udp.port==8472,vxlan", "-T", "fields", ...fields];
      const rows = execFileSync("tshark", asked, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] })
        .trimEnd()
        .split("\n")
        .map((line) => line.split("\t"));
      expect(rows.map(([name, length]) => [name, Number(length)])).toEqual(
        hops.map(({ host, device, bytes }) => [`${host} ${device}`, bytes.length]),
      );
      for (const [i, row] of rows.entries()) {
        expect(row[2]).toContain(hops[i]!.what);
        for (const because of hops[i]!.because) expect(row[2]).toContain(because);
      }
    } finally {
      rmSync(file, { force: true });
    }
  });

  it("also goes by a kernel's node", () => {
    const { hops, twin } = walk("--from", "kernel");
    expect(twin).toBeNull();
    expect(hops[3]!.because.join()).toMatch(/^FDB 0a:58:0a:f4:02:00 dst 172\.19\.0\.3/);
  });

  it("is as the page shows it", () => {
    const now = walk();
    expect(shape(now)).toEqual(shape(RECORDED));
    const ids = ({ hops, twin }: Walk) => twinDifferences(twin!, hops[4]!.bytes).map(({ field }) => field.id);
    expect(ids(RECORDED)).toEqual(ids(now));
  });

  it("goes through a lab that was left up, and leaves it as it was", async () => {
    const cluster = await Cluster.start({
      nodes: [
        { name: "node-a", kind: "poplin", pods: 7 },
        { name: "node-k", kind: "kernel" },
        { name: "node-b", kind: "poplin" },
      ],
    });
    try {
      const { id } = cluster.lab;
      const hosts = () => listNamespaces().filter((name) => name.startsWith(`poplin-${id}-`));
      const before = hosts();
      const { hops } = walk("--lab", id);
      expect(hops.map(({ host }) => host)).toEqual([
        ..."pod-a node-a node-a node-a node-a node-b node-b node-b node-b pod-b".split(" "),
      ]);
      expect(hops[2]!.because.join()).toContain("from 10.244.7.2 via 10.244.3.0");
      expect(hosts()).toEqual(before);
    } finally {
      cluster.destroy();
    }
  });
});
