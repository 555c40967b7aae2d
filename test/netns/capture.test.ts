/**
 * `poplin capture` for real, between two kernel VXLAN devices:
 *
 *     left ── eth0 ─────────── eth0 ── right         192.0.2.1, .2
 *       └─ vx (10.99.0.1)      vx (10.99.0.2) ─┘     VNI 42, UDP 8472
 */
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { startApiServer } from "../../src/agent/api/server.ts";
import { readCapture } from "../../src/io/capture-reader.ts";
import { POPLIN } from "../../src/lab/agent-process.ts";
import type { Host } from "../../src/lab/host.ts";
import { Lab } from "../../src/lab/lab.ts";
import { FakeAgent, healthyStatus } from "../agent/api/fake-agent.ts";
import { describeWith, lab as labNeeds, optionalPackage, tool } from "../helpers/needs.ts";
import { tshark } from "../helpers/tshark.ts";
import { until } from "./agents.ts";

const READY = "Ctrl-C ends it";
const NO_SOCKET = "/nonexistent/poplin.sock";

/** A running `poplin capture`, with everything it has said so far. */
class Running {
  readonly child: ChildProcess;
  readonly chunks: Buffer[] = [];
  stderr = "";
  readonly #closed: Promise<number | null>;

  constructor(host: Host, args: readonly string[], wrapper: readonly string[] = []) {
    const [command, ...rest] = [...wrapper, process.execPath, POPLIN, "capture", ...args];
    const env = { POPLIN_SOCKET: NO_SOCKET, PATH: process.env.PATH };
    this.child = host.spawn(command!, rest, { env, stdio: ["ignore", "pipe", "pipe"] });
    this.child.stdout!.on("data", (chunk: Buffer) => this.chunks.push(chunk));
    this.child.stderr!.setEncoding("utf8").on("data", (text: string) => {
      this.stderr += text;
    });
    this.#closed = once(this.child, "close").then(([code]) => code as number | null);
  }

  static async start(host: Host, ...args: string[]): Promise<Running> {
    const running = new Running(host, args);
    await until("the capture", () => running.stderr.includes(READY) || running.child.exitCode !== null);
    return running;
  }

  get bytes(): Buffer {
    return Buffer.concat(this.chunks);
  }

  get lines(): string[] {
    return this.bytes.toString("utf8").split("\n").filter(Boolean);
  }

  /** @returns the exit code */
  end(): Promise<number | null> {
    return this.#closed;
  }

  interrupt(): Promise<number | null> {
    this.child.kill("SIGINT");
    return this.#closed;
  }
}

describeWith([labNeeds(), optionalPackage("cap"), tool("ping"), tool("tshark")], "poplin capture", () => {
  let lab: Lab;
  let left: Host;
  let right: Host;

  beforeAll(async () => {
    lab = Lab.create();
    left = lab.addHost("left");
    right = lab.addHost("right");
    lab.cable({ host: left, name: "eth0" }, { host: right, name: "eth0" });
    for (const [host, own, other] of [
      [left, 1, 2],
      [right, 2, 1],
    ] as const) {
      host.ip(
        `addr add 192.0.2.${own}/24 dev eth0`,
        `link add vx address 0e:2a:00:00:00:0${own} type vxlan id 42 dev eth0 local 192.0.2.${own} remote 192.0.2.${other} dstport 8472`,
        `addr add 10.99.0.${own}/24 dev vx`,
      );
      // Nothing but the tests' own packets in the overlay: no ARP, no router solicitations.
      host.sysctl6({ "conf/vx/disable_ipv6": 1 });
      host.ip(
        "link set vx up",
        `neigh add 10.99.0.${other} lladdr 0e:2a:00:00:00:0${other} nud permanent dev vx`,
      );
    }
    await left.exec("ping", ["-c", "1", "-W", "5", "10.99.0.2"]);
  });

  afterEach(() => left?.ip("link set eth0 mtu 1500"));
  afterAll(() => lab?.destroy());

  const ping = (...args: string[]) => left.exec("ping", ["-q", "-i", "0.05", ...args, "10.99.0.2"]);

  describe("as text", () => {
    it("has a line for each packet, and ends after -c", async () => {
      const capture = await Running.start(left, "-i", "eth0", "-c", "4");
      await ping("-c", "3");
      expect(await capture.end()).toBe(0);
      const icmp = capture.lines.filter((line) => line.includes("ICMP"));
      expect(icmp.length).toBeGreaterThan(0);
      expect(icmp[0]).toMatch(
        /^\d\d:\d\d:\d\d\.\d{3} 192\.0\.2\.1:\d+ > 192\.0\.2\.2:8472 VXLAN vni 42 \| 10\.99\.0\.1 > 10\.99\.0\.2 ICMP echo request/,
      );
      expect(capture.lines).toHaveLength(4);
      expect(capture.stderr).toContain("4 packets, 0 dropped");
    });

    it("-v names every byte", async () => {
      const capture = await Running.start(left, "-i", "eth0", "-c", "1", "-v");
      await ping("-c", "1");
      expect(await capture.end()).toBe(0);
      const text = capture.lines.join("\n");
      expect(text).toMatch(/VNI +42/);
      expect(text).toMatch(/^outer UDP/m);
      expect(text).toMatch(/^inner Ethernet/m);
    });

    it("SIGINT ends it with 0 and a count", async () => {
      const capture = await Running.start(left, "-i", "eth0");
      expect(await capture.interrupt()).toBe(0);
      expect(capture.stderr).toMatch(/\d+ packets?, 0 dropped/);
    });

    it("says what the kernel dropped while it could not take packets", async () => {
      const capture = await Running.start(left, "-i", "eth0");
      // The parent is not the one that captures.
      const { pid } = capture.child;
      const [child] = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ");
      process.kill(Number(child), "SIGSTOP");
      await left.exec("ping", ["-q", "-f", "-c", "600", "10.99.0.2"]);
      process.kill(Number(child), "SIGCONT");
      await until("the rest", () => capture.lines.length > 300);
      expect(await capture.interrupt()).toBe(0);
      const [, shown, dropped] = /([\d,]+) packets, ([\d,]+) dropped/.exec(capture.stderr)!;
      const number = (text: string) => Number(text.replaceAll(",", ""));
      expect(number(shown!)).toBe(capture.lines.length);
      expect(number(dropped!)).toBeGreaterThan(100);
      expect(number(shown!) + number(dropped!)).toBeGreaterThanOrEqual(1200);
      expect(capture.stderr).toContain("-w takes more");
    });
  });

  describe("as pcapng", () => {
    it("writes a file of mode 0600 that tshark reads", async () => {
      const file = lab.file("capture.pcapng");
      const capture = await Running.start(left, "-i", "eth0", "-w", file);
      await ping("-c", "2");
      await until("four packets", () => readCapture(readFileSync(file)).packets.length >= 4);
      expect(await capture.interrupt()).toBe(0);
      expect(statSync(file).mode & 0o777).toBe(0o600);
      expect(capture.stderr).toContain(` packets to ${file}, 0 dropped`);
      const rows = tshark(file, ["udp.dstport", "vxlan.vni", "icmp.type", "frame.interface_name"], "icmp");
      expect(rows.map((row) => Object.values(row).flat().join(" ")).sort()).toEqual([
        "8472 42 0 eth0",
        "8472 42 0 eth0",
        "8472 42 8 eth0",
        "8472 42 8 eth0",
      ]);
      const times = readCapture(readFileSync(file)).packets.map((packet) => Number(packet.time / 1_000_000n));
      for (const time of times) expect(Math.abs(Date.now() - time)).toBeLessThan(60_000);
    });

    it("streams to standard output as packets come, and ends quietly when the reader goes", async () => {
      const capture = await Running.start(left, "-i", "eth0", "-w", "-");
      await ping("-c", "1");
      await until("the packets", () => readCapture(capture.bytes).packets.length >= 2);
      expect(readCapture(capture.bytes).problem).toBeUndefined();
      capture.child.stdout!.destroy();
      await ping("-c", "2");
      expect(await capture.end()).toBe(0);
      expect(capture.stderr).not.toContain("poplin:");
    });

    it("says that it cannot write", async () => {
      const capture = new Running(left, ["-i", "eth0", "-w", "/nonexistent/x.pcapng"]);
      expect(await capture.end()).toBe(1);
      expect(capture.stderr).toContain("poplin: cannot write to /nonexistent/x.pcapng");
    });
  });

  it("shows fragments, all of them, and says what makes them", async () => {
    left.ip("link set eth0 mtu 1000");
    const capture = await Running.start(left, "-i", "eth0", "-c", "2");
    // A new path for the kernel each time: it would otherwise remember the smaller MTU and cut the inner packet.
    await left.exec("ping", ["-q", "-c", "1", "-W", "1", "-M", "dont", "-s", "1300", "10.99.0.2"], {
      check: false,
    });
    expect(await capture.end()).toBe(0);
    expect(capture.lines[0]).toContain("fragment at 0, more follow");
    expect(capture.lines[1]).toContain("192.0.2.1 > 192.0.2.2");
    expect(capture.lines[1]).toContain("the last");
    expect(capture.stderr).toContain("! 2 are fragments: the overlay's MTU is too large for the underlay");
  });

  describe("where to listen", () => {
    it("is the interface of the default route", async () => {
      left.ip("route add default via 192.0.2.2");
      try {
        const capture = await Running.start(left);
        expect(capture.stderr).toContain("(UDP port 8472) on eth0");
        expect(await capture.interrupt()).toBe(0);
      } finally {
        left.ip("route del default");
      }
    });

    it("is the agent's uplink and port where one runs", async () => {
      const socket = lab.file("agent.sock");
      mkdirSync(dirname(socket), { recursive: true });
      const view = new FakeAgent();
      const { underlay } = healthyStatus();
      view.answer = async () => healthyStatus({ underlay: { ...underlay, uplink: "vx", port: 4789 } });
      const server = await startApiServer({ path: socket, view });
      try {
        const capture = await Running.start(left, "--socket", socket);
        expect(capture.stderr).toContain("(UDP port 4789) on vx");
        expect(await capture.interrupt()).toBe(0);
      } finally {
        await server.close();
      }
    });

    it.each([
      [["-i", "nope"], 1, "there is no interface nope"],
      [["-i", "off"], 1, "off is down"],
      [[], 2, "name one with -i"],
    ] as const)("%j: exit code %d", async (args, code, message) => {
      left.ip("link add off type veth peer name offpeer");
      try {
        const capture = new Running(left, args);
        expect(await capture.end()).toBe(code);
        expect(capture.stderr).toContain(message);
        expect(capture.stderr).toMatch(/^poplin: /);
      } finally {
        left.ip("link del off");
      }
    });

    it("4 without CAP_NET_RAW, which it names", async () => {
      const capture = new Running(
        left,
        ["-i", "eth0"],
        ["setpriv", "--inh-caps=-all", "--bounding-set=-all"],
      );
      expect(await capture.end()).toBe(4);
      expect(capture.stderr).toContain("CAP_NET_RAW");
    });

    it("an interface that goes away ends it with 1, in words", async () => {
      left.ip("link add gone type veth peer name gonepeer", "link set gone up", "link set gonepeer up");
      const capture = await Running.start(left, "-i", "gone");
      left.ip("link del gone");
      expect(await capture.end()).toBe(1);
      expect(capture.stderr).toContain("poplin: the capture has ended: gone went down or away");
      expect(capture.stderr).not.toContain("Assertion");
    });
  });
});
