/** A node of a flannel cluster of both families, taken over: two underlays and a lease at once, and its health server. */
import { readFileSync } from "node:fs";
import { afterEach, expect, it } from "vitest";
import type { FlannelNode } from "../../../src/lab/flannel-node.ts";
import { describeWith, lab, tool } from "../../helpers/needs.ts";
import { until } from "../agents.ts";
import { allKnown, allReach, DirectoryLab, DUAL, keyOf, lines } from "../flannel/cluster.ts";
import { ipv6 } from "../pods.ts";
import { Pinger } from "../traffic/ping.ts";

let cluster: DirectoryLab;
afterEach(() => cluster.destroy());

/** What the health server says. */
async function ready(node: FlannelNode): Promise<string> {
  const script =
    'fetch("http://127.0.0.1:8081/readyz").then(async (r) => console.log(r.status, await r.text()), () => {})';
  return (await node.host.exec(process.execPath, ["-e", script])).stdout.trim();
}

const NEEDS = [lab(), ipv6(), tool("ping"), tool("iptables"), tool("ip6tables")];

describeWith(NEEDS, "a node of both families", () => {
  it("is taken over twice: no ping is lost, its lease and rows stay, and it follows the others from then on", async () => {
    cluster = new DirectoryLab(DUAL);
    const [a, b] = ["node-a", "node-b"].map((name) =>
      cluster.node(name, ["--ip-masq", "--healthz-port", "8081"]),
    );
    await Promise.all([a!.start(), b!.start()]);
    await allKnown([a!, b!]);
    const pings = b!.podIps.map((ip) => new Pinger(a!.pod, ip, { interval: 0.005 }));
    await Promise.all(pings.map((ping) => ping.next()));
    const [key, env] = [keyOf(a!), readFileSync(a!.subnetFile, "utf8")];
    const macs = (await a!.status()).overlays.map(({ device }) => device.mac);
    for (let i = 0; i < 2; i++) {
      expect(await a!.takeOver()).toBe(0);
      await Promise.all(pings.map((ping) => ping.next()));
    }
    for (const ping of pings) {
      const { lost, duplicates, received } = await ping.stop();
      expect({ lost, duplicates }).toEqual({ lost: [], duplicates: 0 });
      expect(received).toBeGreaterThan(50);
    }
    expect([keyOf(a!), readFileSync(a!.subnetFile, "utf8")]).toEqual([key, env]);
    expect((await a!.status()).overlays.map(({ device }) => device.mac)).toEqual(macs);
    expect(lines(a!, /taken over from pid \d+/)).toHaveLength(2);
    await until("its health server", async () => (await ready(a!)) === "200 flanneld is ready");
    const c = cluster.node("node-c", ["--ip-masq"]);
    await c.start();
    await allKnown([a!, b!, c]);
    await allReach([a!, b!, c]);
    expect(await a!.stop()).toBe(0);
  });
});
