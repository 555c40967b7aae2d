/** What others do to a node's device and rows, how fast it is as it was, and what the log says of it. */
import { afterEach, expect, it } from "vitest";
import type { FlannelNode } from "../../../src/lab/flannel-node.ts";
import { describeWith, lab, tool } from "../../helpers/needs.ts";
import { describeTimed, onIdleMachine, rowsOf, type Timed, timed, until } from "../agents.ts";
import { ipv6 } from "../pods.ts";
import { Pinger } from "../traffic/ping.ts";
import { allKnown, answers, DirectoryLab, DUAL, keyOf, lines, subnetsOf } from "./cluster.ts";

let cluster: DirectoryLab;
afterEach(() => cluster.destroy());

/** Milliseconds until everything is as it was, on an idle machine. */
const LATEST = 1000;
/** How often something is done at most: once in time will do, since anything may be in the way of a machine. */
const TRIES = 5;

/** Does something as often as it takes for the end to come in time. @param work lasts until that end */
async function inTime(name: string, work: () => Promise<void>): Promise<void> {
  const times: Timed[] = [];
  do {
    times.push(
      await timed(async () => {
        const begun = performance.now();
        await work();
        return performance.now() - begun;
      }),
    );
  } while (times.length < TRIES && times.every((time) => onIdleMachine(time) >= LATEST));
  console.log(`${name}: ${times.map(describeTimed).join(", ")}`);
  expect(Math.min(...times.map(onIdleMachine)), name).toBeLessThan(LATEST);
}

/** Each deed, and the commands. */
const deeds = (peer: string, mac: string): readonly [string, readonly string[]][] => [
  ["a route deleted", [`route del ${peer}/24 dev flannel.1`]],
  ["all routes flushed", ["route flush dev flannel.1"]],
  ["a neighbour deleted", [`neigh del ${peer} dev flannel.1`]],
  ["all neighbours flushed", ["neigh flush dev flannel.1 nud permanent"]],
  ["the address deleted", ["addr flush dev flannel.1 scope global"]],
  ["the device down", ["link set flannel.1 down"]],
  ["another MAC", [`link set flannel.1 address ${mac}`]],
  ["the device deleted", ["link del flannel.1"]],
];

describeWith([lab(), tool("ping"), tool("iptables")], "a node whose device and rows somebody changes", () => {
  it("has them as they were within a second, and says so in a line or two each time", async () => {
    cluster = new DirectoryLab();
    const [a, b, c] = await cluster.start("node-a", "node-b", "node-c");
    const whole = await rowsOf(a!.host);
    const { mac } = (await a!.status()).device;
    const macOf = async (node: FlannelNode) =>
      /link\/ether (\S+)/.exec((await node.host.exec("ip", ["link", "show", "flannel.1"])).stdout)?.[1];
    for (const [name, commands] of deeds(subnetsOf(b!)[0]!.replace("/24", ""), "02:00:00:00:00:66")) {
      let said = 0;
      await inTime(name, async () => {
        said = a!.log().length;
        a!.host.ip(...commands);
        await until(`the end of "${name}"`, async () => {
          const rows = await rowsOf(a!.host);
          return rows !== null && JSON.stringify(rows) === JSON.stringify(whole) && (await macOf(a!)) === mac;
        });
      });
      await until(`"${name}" in the log`, () => a!.log().length > said);
      const text = a!.log().slice(said).trimEnd().split("\n");
      console.log(`  ${text.join("\n  ")}`);
      expect(text.length).toBeLessThanOrEqual(3);
      expect(await answers(a!, c!.podIp)).toBe(true);
    }
  });

  it("has no rows of peers that went while it was down, and the others' all the time", async () => {
    cluster = new DirectoryLab();
    const [a, b, c] = await cluster.start("node-a", "node-b", "node-c");
    await a!.stop();
    await c!.stop();
    const before = await rowsOf(a!.host);
    expect(before!.neighbours).toHaveLength(2);
    cluster.remove(keyOf(c!));
    await a!.start();
    await allKnown([a!, b!]);
    const gone = subnetsOf(c!)[0]!.replace("/24", "");
    const rows = await rowsOf(a!.host);
    expect([rows!.neighbours, rows!.routes]).toEqual([
      before!.neighbours.filter((row) => !row.startsWith(gone)),
      before!.routes.filter((row) => !row.startsWith(gone)),
    ]);
    expect((await a!.client.fdb()).map(({ mac }) => mac)).toEqual([(await b!.status()).device.mac]);
    expect(lines(a!, new RegExp(`node .*${gone}.* gone`))).toEqual([]);
    expect(await answers(a!, b!.podIp)).toBe(true);
  });
});

/** All that a node's kernel holds of IPv6 for its second device, sorted. */
async function rows6(node: FlannelNode): Promise<string> {
  const show = async (...words: string[]) => {
    const all = ["-6", ...words, "dev", "flannel-v6.1"];
    const { stdout } = await node.host.exec("ip", all, { check: false });
    return stdout.split("\n").map((line) => line.trim());
  };
  const all = [
    ...(await show("-o", "addr", "show", "scope", "global")).map((line) => line.replace(/^\d+: /, "")),
    ...(await show("neigh", "show", "nud", "permanent")),
    ...(await show("route", "show", "via", "fd00:10:244::/48")),
  ];
  return all.filter(Boolean).sort().join("\n");
}

describeWith([lab(), ipv6(), tool("ping"), tool("iptables")], "a node of both families", () => {
  it("has its second device and what belongs to IPv6 as they were, too, and IPv4 is not touched", async () => {
    cluster = new DirectoryLab(DUAL);
    const [a, b] = await cluster.start("node-a", "node-b");
    const whole = await rows6(a!);
    expect(whole.split("\n").length).toBeGreaterThanOrEqual(3);
    const ping = new Pinger(a!.pod, b!.podIps[0]!, { interval: 0.01 });
    await ping.next();
    for (const [name, command] of [
      ["its routes flushed", "-6 route flush dev flannel-v6.1 proto boot"],
      ["its neighbours flushed", "-6 neigh flush dev flannel-v6.1 nud permanent"],
      ["its address deleted", "-6 addr flush dev flannel-v6.1 scope global"],
      ["down", "link set flannel-v6.1 down"],
      ["deleted", "link del flannel-v6.1"],
    ] as const) {
      await inTime(name, async () => {
        await a!.host.exec("ip", command.split(" "));
        await until(`the end of "${name}"`, async () => (await rows6(a!)) === whole);
      });
      await until(`pods after "${name}"`, () => answers(a!, b!.podIps[1]!));
    }
    expect((await ping.stop()).lost).toEqual([]);
  });
});
