/** `poplin flanneld` as a DaemonSet runs it: its environment, its line, its health, and what it says of a configuration. */
import { readFileSync } from "node:fs";
import { afterEach, expect, it } from "vitest";
import type { FlannelNode } from "../../../src/lab/flannel-node.ts";
import { describeWith, lab, tool } from "../../helpers/needs.ts";
import { until } from "../agents.ts";
import { DirectoryLab, lines } from "./cluster.ts";

let cluster: DirectoryLab;
afterEach(() => cluster.destroy());

/** What the health server says: status and body, or nothing where nobody listens. */
async function health(node: FlannelNode, path: string): Promise<string> {
  const script = `fetch("http://127.0.0.1:8081${path}").then(async (r) => console.log(r.status, await r.text()), () => {})`;
  return (await node.host.exec(process.execPath, ["-e", script])).stdout.trim();
}

describeWith([lab(), tool("iptables")], "poplin flanneld", () => {
  it("takes all from a DaemonSet's environment; /readyz follows the start; -v=10 on the line is debug", async () => {
    cluster = new DirectoryLab();
    cluster.setConf("{");
    const a = cluster.node("node-a");
    a.spawn(["flanneld", "-v=10"], {
      POPLIN_SOCKET: cluster.lab.file("node-a.sock"),
      FLANNELD_IFACE: "eth0",
      FLANNELD_IP_MASQ: "true",
      FLANNELD_HEALTHZ_PORT: "8081",
      FLANNELD_LEASE_DIR: cluster.directory,
      FLANNELD_SUBNET_FILE: a.subnetFile,
    });
    await until("the complaint", () => lines(a, /it is no JSON/).length > 0);
    expect(await health(a, "/healthz")).toBe("200 flanneld is running");
    expect(await health(a, "/readyz")).toBe(
      "503 flanneld is not ready yet\nthe node has not joined its network yet",
    );
    cluster.setConf('{"Network":"10.244.0.0/16","Backend":{"Type":"vxlan"}}');
    await until("it is ready", async () => (await health(a, "/readyz")) === "200 flanneld is ready", 20_000);
    expect(readFileSync(a.subnetFile, "utf8")).toMatch(/^FLANNEL_IPMASQ=true$/m);
    const metrics = await health(a, "/metrics");
    expect(metrics).toMatch(/^poplin_lease_held 1$/m);
    expect(metrics).toMatch(
      /^poplin_store_operation_duration_seconds_count\{store="file",operation="acquire"\} 1$/m,
    );
    expect(metrics).toMatch(/^poplin_store_errors_total\{store="file",operation="read-config"\} 0$/m);
    a.host.ip("link set flannel.1 mtu 1300");
    await until("a debug line", () => lines(a, / debug /).length > 0);
    expect(await a.stop()).toBe(0);
    // As flanneld leaves it: its line may say otherwise than the environment.
    a.spawn(["flanneld", "--ip-masq=false", "--subnet-file", a.subnetFile], {
      POPLIN_SOCKET: cluster.lab.file("node-a.sock"),
      FLANNELD_IFACE: "eth0",
      FLANNELD_IP_MASQ: "true",
      FLANNELD_LEASE_DIR: cluster.directory,
    });
    await until("the line counts", () => a.subnetEnv().get("FLANNEL_IPMASQ") === "false", 20_000);
    expect(await a.stop()).toBe(0);
  });

  it("refuses what is no flag, with a hint and exit code 2; prints its version, and help for 80 columns", async () => {
    cluster = new DirectoryLab();
    const a = cluster.node("node-a");
    const run = (...args: string[]) => a.poplin(["flanneld", ...args], { check: false });
    const typo = await run("--ifce=eth0", "--logtostderr", "-healthz-port=99999");
    expect([typo.status, typo.stdout]).toEqual([2, ""]);
    expect(typo.stderr).toMatch(/no flag --ifce; did you mean `iface`/);
    expect(typo.stderr).toMatch(/flanneld logs to standard error alone/);
    expect(typo.stderr).toMatch(/healthz-port.*65,?535/);
    expect(await run("--version")).toMatchObject({
      status: 0,
      stdout: "",
      stderr: expect.stringMatching(/^poplin \d+\.\d+/),
    });
    const help = await run("--help");
    expect([help.status, help.stderr]).toEqual([0, ""]);
    const rows = help.stdout.split("\n");
    expect(Math.max(...rows.map((row) => row.length))).toBeLessThanOrEqual(80);
    expect(rows.filter((row) => /^ {2}--?\w/.test(row)).length).toBeGreaterThan(30);
  });

  it("says at error level what a configuration asks for that will not be, and joins", async () => {
    cluster = new DirectoryLab({
      Network: "10.244.0.0/16",
      Backend: { Type: "vxlan", Name: "flannel0", MacPrefix: "0E-2A", GBP: true },
    });
    const a = cluster.node("node-a");
    await a.start();
    const said = lines(a, /Backend\.\w+ is /).map((line) => line.replace(/^\S+ /, ""));
    expect(said).toEqual([
      expect.stringMatching(
        /^error .*Backend\.Name is for Windows nodes, and is ignored here; .*flannel\.VNI/,
      ),
      expect.stringMatching(/^error .*Backend\.MacPrefix is for Windows nodes, and is ignored here; /),
      expect.stringMatching(
        /^error .*Backend\.GBP is on, but a TAP carries no socket mark: .*their mark is lost/,
      ),
    ]);
    expect((await a.status()).device.name).toBe("flannel.1");
  });

  it("says that a directory is unknown and waits for it; ends, with the reason, where --iface names nothing", async () => {
    cluster = new DirectoryLab();
    const a = cluster.node("node-a");
    a.options = { flags: ["--lease-dir", cluster.lab.file("none/at/all")] };
    a.launch();
    await until("the complaint", () => lines(a, /none\/at\/all/).length > 0);
    expect(await a.stop()).toBe(0);
    const { status, stderr } = await a.poplin(
      ["flanneld", "--iface=eth7", "--lease-dir", cluster.directory],
      { check: false },
    );
    expect([status, stderr]).toEqual([1, expect.stringMatching(/--iface eth7.*\n? *→?/)]);
  });
});
