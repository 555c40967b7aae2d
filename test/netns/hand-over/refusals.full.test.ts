/** What a new agent may have different, and what the old one does not hand over for; it goes on, and loses nothing. */
import { afterEach, expect, it } from "vitest";
import { takeOverPath } from "../../../src/agent/takeover/protocol.ts";
import { Channel } from "../../../src/io/linux/channel.ts";
import { Cluster } from "../../../src/lab/cluster.ts";
import type { LabNode } from "../../../src/lab/node.ts";
import type { PoplinNode } from "../../../src/lab/poplin-node.ts";
import { describeFull, describeWith, lab, tool } from "../../helpers/needs.ts";
import { hasDevice, until } from "../agents.ts";
import { Pinger } from "../traffic/ping.ts";
import { Relay } from "./relay.ts";
import { launch, type Successor } from "./successor.ts";

let cluster: Cluster | undefined;
let relay: Relay | undefined;
afterEach(() => {
  relay?.close();
  relay = undefined;
  cluster?.destroy();
});

async function start(
  config: Record<string, unknown> = {},
): Promise<{ a: PoplinNode; b: LabNode; ping: Pinger }> {
  cluster = await Cluster.start({
    nodes: [
      { name: "node-a", kind: "poplin", config },
      { name: "node-b", kind: "kernel" },
    ],
  });
  const [a, b] = [cluster.poplin("node-a"), cluster.node("node-b")];
  const ping = new Pinger(a.pod, "10.244.2.2");
  await ping.next();
  return { a, b, ping };
}

/** @returns what it said; it has ended with this code, and the old one has not noticed */
async function refused(node: PoplinNode, successor: Successor, code: number, ping: Pinger): Promise<string> {
  const { pid } = node;
  expect(await successor.ended, successor.output()).toBe(code);
  await ping.next();
  const { state, pid: now } = await node.status();
  expect([state, now]).toEqual(["running", pid]);
  const { lost, duplicates } = await ping.stop();
  expect({ lost, duplicates }).toEqual({ lost: [], duplicates: 0 });
  return successor.output();
}

const RESTART = /restart the agent instead: stop the old one, then start the new one/;

describeWith([lab(), tool("ping")], "a new agent whose devices or sockets would be others", () => {
  it("is refused, and told which settings it is about; the old one has noticed nothing", async () => {
    const { a, ping } = await start();
    const different = [
      "--port",
      "8473",
      "--queues",
      "2",
      "--source-ports",
      "fixed",
      "--udp-checksum",
      "zero",
    ];
    const output = await refused(a, launch(a, [...different, "--offload", "tap-tso=off"]), 1, ping);
    for (const words of ["port: 8472 → 8473", "queues: 1 → 2", "sourcePorts: 49152-65535 → fixed"])
      expect(output).toContain(words);
    expect(output).toMatch(/udpChecksum: computed → zero/);
    expect(output).toMatch(/offload: tap-csum, tap-tso, tap-uso, udp-gro → tap-csum, tap-uso, udp-gro/);
    expect(output).toMatch(RESTART);
    expect(a.log()).toMatch(/warn {2}pid \d+ wanted to take over, and has not: .*queues: 1 → 2/);
  });

  it.each([
    [["--vni", "2"], /overlays: flannel\.1 \(VNI 1\) → flannel\.1 \(VNI 2\)/],
    [["--device", "flannel.9"], /overlays: flannel\.1 \(VNI 1\) → flannel\.9 \(VNI 1\)/],
    [["--underlay", "dgram"], /underlay: batch → dgram/],
  ] as const)("%j", async (args, message) => {
    const { a, ping } = await start();
    const output = await refused(a, launch(a, args), 1, ping);
    expect(output).toMatch(message);
    expect(await hasDevice(a.host, "flannel.9")).toBe(false);
  });
});

describeWith([lab(), tool("ping")], "an agent over dgram", () => {
  it("does not hand over, and says why", async () => {
    const { a, ping } = await start({ underlay: "dgram" });
    const output = await refused(a, launch(a), 1, ping);
    expect(output).toMatch(/an agent over dgram cannot be taken over: only `batch` hands its socket on/);
    expect(output).toMatch(RESTART);
  });
});

describeWith([lab(), tool("ping"), tool("setpriv")], "somebody who may not", () => {
  it("another user: exit code 4, and whose socket it is", async () => {
    const { a, ping } = await start();
    // It may read the file and this program, wherever they are, and no more than that.
    const may = ["--inh-caps", "+dac_read_search", "--ambient-caps", "+dac_read_search"];
    const user = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", ...may];
    const output = await refused(a, launch(a, [], user), 4, ping);
    expect(output).toMatch(/\.sock\.takeover.*EACCES|EACCES.*\.sock\.takeover/);
    expect(output).toMatch(/as the user that the old one runs as/);
  });

  it("an agent in another network namespace", async () => {
    const { a, ping } = await start();
    const lines = 'ip link set lo up; ip addr add 172.19.0.2/16 dev lo; exec "$@"';
    const elsewhere = ["unshare", "--net", "sh", "-c", lines, "sh"];
    const output = await refused(a, launch(a, [], elsewhere), 1, ping);
    expect(output).toMatch(/it runs in another network namespace \(net:\[\d+\], not net:\[\d+\]\)/);
  });

  it("a second one at the same time, with the pid of the first; the first one takes over", async () => {
    const { a } = await start();
    let second: Successor | undefined;
    relay = new Relay(a.socket, async (step) => {
      if (step !== "prepared" || second !== undefined) return true;
      second = launch(a);
      expect(await second.ended).toBe(1);
      return true;
    });
    expect(await a.takeOver()).toBe(0);
    expect(second!.output()).toMatch(/does not hand over: pid \d+ is taking over already/);
  });

  it("a poplin that hands over in another way; and who says nothing of sense", async () => {
    const { a, ping } = await start();
    const talk = async (message: unknown): Promise<unknown> => {
      const channel = Channel.connect(takeOverPath(a.socket));
      await channel.send(message);
      const answer = await channel.receive(5000).catch(({ code }: { code: string }) => ({ message: code }));
      channel.close();
      return answer.message;
    };
    expect(await talk({ type: "hello", protocol: 99, version: "9.9.9" })).toMatchObject({
      type: "refused",
      message: expect.stringMatching(/poplin \S+ and 9\.9\.9 hand over in different ways \(1, 99\)/),
    });
    for (const nonsense of [{ type: "running" }, null, [], "hello", { type: 7 }])
      expect(await talk(nonsense)).toBe("CHANNEL_CLOSED");
    expect(await a.takeOver()).toBe(0);
    const { lost } = await ping.stop();
    expect(lost).toEqual([]);
  });
});

describeWith(
  [lab(), tool("ping")],
  "a new agent with other settings that no socket or device is made of",
  () => {
    it("takes over, and has them in place afterwards", async () => {
      const { a, b, ping } = await start();
      a.config = {
        ...a.config,
        senderCheck: "mac",
        spin: "off",
        mtu: 1400,
        ephemeral: true,
        logLevel: "debug",
      };
      a.setPeers([]);
      expect(await a.takeOver()).toBe(0);
      await until("the new MTU", async () => (await a.status()).device.mtu === 1400);
      expect((await a.status()).peers).toEqual([]);
      expect((await a.client.fdb()).map(({ mac }) => mac)).toEqual([]);
      a.setPeers([b.plan]);
      expect(await a.takeOver()).toBe(0);
      await ping.next();
      expect((await a.client.fdb()).map(({ mac }) => mac)).toEqual([b.plan.vtepMac]);
      expect((await a.status()).policy).toMatchObject({ senderCheck: "mac" });
      // An ephemeral device goes with the last agent that has it, and not before.
      await a.stop();
      await until("the end of the device", async () => !(await hasDevice(a.host)), 2000);
    });

    it("--take-over where no agent runs is an ordinary start, also after one that was killed", async () => {
      const { a, ping } = await start();
      await a.stop("SIGKILL");
      const successor = launch(a);
      await ping.firstSince(Date.now());
      expect(successor.output()).toMatch(/there is no agent to take over from: this is an ordinary start/);
      process.kill(successor.pid, "SIGTERM");
      expect(await successor.ended).toBe(0);
    });
  },
);

describeFull([lab(), tool("ping")], "an agent that does not answer", () => {
  it("is not waited for for ever: exit code 5; it goes on when it can", async () => {
    const { a, ping } = await start();
    a.signal("SIGSTOP");
    const successor = launch(a);
    expect(await successor.ended).toBe(5);
    expect(successor.output()).toMatch(/the agent does not answer: it said nothing for 20 seconds/);
    a.signal("SIGCONT");
    await ping.next();
    expect(await a.takeOver()).toBe(0);
  });
});
