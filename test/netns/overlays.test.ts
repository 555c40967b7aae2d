/** One thread with three TAPs, opposite three VXLAN devices of the kernel's on one port. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { CounterSnapshot } from "../../src/dataplane/counters.ts";
import { describeWith, namespaces, shim, tun } from "../helpers/needs.ts";
import { Inside } from "./inside.ts";

const VNIS = [11, 12, 13];
/** One that the kernel has, and we have not. */
const NOBODYS = 14;
const PINGS = 200;
const NODE = fileURLToPath(new URL("./overlays-node.mjs", import.meta.url));

describeWith([namespaces(), tun(), shim()], "three overlays on one port", () => {
  let [ours, theirs]: Inside[] = [];
  let node: ChildProcess | undefined;
  let output = "";

  beforeAll(async () => {
    ours = new Inside(new URL(import.meta.url));
    theirs = new Inside(new URL(import.meta.url));
    ours.ip("link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", theirs.name);
    for (const [side, host] of [
      [ours, 1],
      [theirs, 2],
    ] as const) {
      side.ip("addr", "add", `192.0.2.${host}/24`, "dev", "eth0");
      side.ip("link", "set", "eth0", "up");
    }
    node = spawn("ip", ["netns", "exec", ours.name, process.execPath, NODE], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    node.stdout!.on("data", (chunk) => {
      output += chunk;
    });
    await once(node.stdout!, "data");
    for (const vni of [...VNIS, NOBODYS]) {
      const device = `vx${vni}`;
      const words = ["type", "vxlan", "id", `${vni}`, "local", "192.0.2.2", "remote", "192.0.2.1"];
      const mac = ["address", `02:00:00:00:02:${vni}`];
      theirs.ip("link", "add", device, ...mac, ...words, "dstport", "8472", "nolearning");
      theirs.ip("addr", "add", `10.0.${vni}.2/24`, "dev", device);
      theirs.ip("link", "set", device, "up", "mtu", "1450");
      theirs.ip("neigh", "add", `10.0.${vni}.1`, "lladdr", `02:00:00:00:01:${vni}`, "dev", device);
      if (vni === NOBODYS) continue;
      ours.ip("link", "set", `tap${vni}`, "up", "mtu", "1450", "address", `02:00:00:00:01:${vni}`);
      ours.ip("addr", "add", `10.0.${vni}.1/24`, "dev", `tap${vni}`);
      ours.ip("neigh", "add", `10.0.${vni}.2`, "lladdr", `02:00:00:00:02:${vni}`, "dev", `tap${vni}`);
    }
  });
  afterAll(() => {
    node?.kill();
    ours?.remove();
    theirs?.remove();
  });

  it("each answers its own pings, at the same time, and a VNI of nobody's is counted", async () => {
    const ping = (vni: number, ...words: string[]): ChildProcess =>
      spawn("ip", ["netns", "exec", theirs!.name, "ping", "-q", "-i", "0.005", ...words, `10.0.${vni}.1`]);
    const children = VNIS.map((vni) => ping(vni, "-c", `${PINGS}`, "-s", "1000"));
    const codes = await Promise.all(children.map(async (child) => (await once(child, "exit"))[0]));
    expect(codes).toEqual([0, 0, 0]);
    await once(ping(NOBODYS, "-c", "3", "-W", "1"), "exit");
    const bytes = execFileSync("ip", ["-n", ours!.name, "-s", "-j", "link", "show", "tap12"], {
      encoding: "utf8",
    });
    expect(JSON.parse(bytes)[0].stats64.rx.packets).toBeGreaterThanOrEqual(PINGS);
    const before = output.length;
    node!.stdin!.end();
    await once(node!, "exit");
    const counters = JSON.parse(output.slice(before)) as CounterSnapshot[];
    for (const one of counters) {
      expect(one.rxFrames).toBeGreaterThanOrEqual(PINGS);
      expect(one.txFrames).toBeGreaterThanOrEqual(PINGS);
    }
    const unknown = counters.map(({ drops }) => drops.rx.VXLAN_VNI_NOT_FOUND ?? 0);
    expect(unknown[0]).toBeGreaterThanOrEqual(3);
    expect(unknown.slice(1)).toEqual([0, 0]);
  }, 60_000);
});
