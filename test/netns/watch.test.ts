/** `poplin watch` over a node that carries packets: each as it passes, drops with their reason, and tshark reads what it writes. */
import { type ChildProcess, execFileSync } from "node:child_process";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { POPLIN } from "../../src/lab/agent-process.ts";
import { Cluster } from "../../src/lab/cluster.ts";
import { iperf } from "../../src/lab/iperf.ts";
import { ping } from "../../src/lab/ping.ts";
import { podAddress } from "../../src/lab/plan.ts";
import type { PoplinNode } from "../../src/lab/poplin-node.ts";
import { describeWith, lab, tool } from "../helpers/needs.ts";
import { until } from "./agents.ts";

interface Said {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

describeWith([lab(), tool("ping"), tool("iperf3"), tool("tshark")], "poplin watch", () => {
  let cluster: Cluster;
  let a: PoplinNode;
  let b: PoplinNode;
  const running: ChildProcess[] = [];
  const file = join(tmpdir(), `poplin-watch-${process.pid}.pcapng`);

  beforeAll(async () => {
    const nodes = ["node-a", "node-b"].map((name) => ({ name, kind: "poplin" }) as const);
    cluster = await Cluster.start({ nodes });
    [a, b] = [cluster.poplin("node-a"), cluster.poplin("node-b")];
    // The kernel's own multicast would be dropped, and shown.
    a.host.sysctl6({ "conf/flannel.1/disable_ipv6": 1 });
  });
  afterEach(async () => {
    for (const child of running.splice(0)) if (child.kill("SIGKILL")) await once(child, "close");
    rmSync(file, { force: true });
  });
  afterAll(() => cluster?.destroy());

  const target = () => podAddress(b.plan).v4;

  /** Watches node-a while something happens. */
  async function watch(words: string, happens: () => Promise<unknown>): Promise<Said> {
    const args = [POPLIN, "watch", "--socket", a.socket, ...words.split(" ")];
    const child = a.host.spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
    running.push(child);
    const said = { stdout: "", stderr: "" };
    child.stdout!.setEncoding("utf8").on("data", (text) => (said.stdout += text));
    child.stderr!.setEncoding("utf8").on("data", (text) => (said.stderr += text));
    const ended = once(child, "close");
    await until("somebody watches", () => said.stderr.includes("Ctrl-C ends it"));
    await happens();
    const [status] = await ended;
    return { status, ...said };
  }

  const oneFrameToNowhere = () =>
    a.host.exec("ping", ["-c", "1", "-W", "1", "-I", "flannel.1", "10.244.1.200"], { check: false });

  it("shows each ping twice, on its way out and back", async () => {
    const { status, stdout, stderr } = await watch(`--address ${target()} -c 6`, () => ping(a.pod, target()));
    expect(status).toBe(0);
    expect(stderr).toMatch(/\n6 packets shown, none left out\n$/);
    const lines = stdout.trim().split("\n");
    expect(lines.map((line) => line.split(" ")[1])).toEqual(["tx", "rx", "tx", "rx", "tx", "rx"]);
    expect(lines[0]).toMatch(
      /172\.19\.0\.2:\d+ > 172\.19\.0\.3:8472 VXLAN vni 1 \| .* ICMP echo request .*, 98 bytes$/,
    );
    expect(lines[1]).toMatch(
      /172\.19\.0\.3:\d+ > 172\.19\.0\.2:8472 VXLAN vni 1 \| .* ICMP echo reply .*, 98 bytes$/,
    );
  });

  it("shows a drop with its reason, and nothing else where that is asked for", async () => {
    const happens = async () => {
      await ping(a.pod, target());
      await oneFrameToNowhere();
    };
    const { stdout } = await watch("--reason NO_TX_TARGET -c 1 -j", happens);
    expect(JSON.parse(stdout.trim().split("\n")[0]!)).toMatchObject({
      ...{ type: "packet", direction: "tx", vni: 1, dev: "flannel.1", layer: "ethernet", remote: null },
      ...{ drop: { reason: "NO_TX_TARGET", error: null }, summary: expect.stringContaining("10.244.1.200") },
    });
  });

  it("writes both sides of the tunnel with a comment for each layer, which tshark reads", async () => {
    const happens = async () => {
      await ping(a.pod, target(), { count: 1 });
      await oneFrameToNowhere();
    };
    const { stderr } = await watch(`-c 3 -w ${file}`, happens);
    expect(stderr).toContain(`written; wireshark -d udp.port==8472,vxlan ${file}`);
    const fields = ["frame.interface_name", "vxlan.vni", "icmp.type", "frame.comment"];
    const words = ["-r", file, "-d", "udp.port==8472,vxlan", "-T", "fields"];
    const all = [...words, ...fields.flatMap((name) => ["-e", name])];
    const rows = execFileSync("tshark", all, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] })
      .trimEnd()
      .split("\n")
      .map((line) => line.split("\t"));
    expect(rows.map(([name, vni, type]) => [name, vni, type])).toEqual([
      ["underlay", "1", "8"],
      ["overlay", "", "8"],
      ["underlay", "1", "0"],
      ["overlay", "", "0"],
      ["overlay", "", ""],
    ]);
    for (const layer of [
      "outer IPv4",
      "outer UDP",
      "VXLAN",
      "inner Ethernet",
      "inner IPv4",
      "inner ICMP echo",
    ])
      expect(rows[0]![3]).toContain(layer);
    expect(rows[4]![3]).toContain("dropped, NO_TX_TARGET: no FDB row");
  });

  it("says how many it has not shown, and they add up to what passed", async () => {
    const before = await a.client.stats();
    const { stdout } = await watch("-j -c 4000", async () => {
      await iperf(a.pod, b.pod, target(), ["-t", "3"]);
      // So that it ends, however few there were.
      running.at(-1)!.kill("SIGINT");
    });
    const after = await a.client.stats();
    const news = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    const shown = news.filter(({ type }) => type === "packet").length;
    const unseen = news.filter(({ type }) => type === "unseen").reduce((sum, { passed }) => sum + passed, 0);
    expect(shown).toBeGreaterThan(20);
    expect(unseen).toBeGreaterThan(shown);
    // What came in the last moment is not told any more.
    const passed = after.txFrames - before.txFrames + after.rxFrames - before.rxFrames;
    expect(shown + unseen).toBeLessThanOrEqual(passed);
  });
});
