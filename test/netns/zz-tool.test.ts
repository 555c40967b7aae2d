import { expect, it } from "vitest";
import { Cluster } from "../../src/lab/cluster.ts";
import { UdpHelper } from "./traffic/udp.ts";
it("udp", async () => {
  const cluster = await Cluster.start({ nodes: ["node-a", "node-b"].map((name) => ({ name, kind: "kernel" as const })) });
  try {
    const [a, b] = ["node-a", "node-b"].map((n) => cluster.node(n));
    const x = new UdpHelper(a!.pod, "10.244.1.2", 7000);
    const y = new UdpHelper(b!.pod, "10.244.2.2", 7000);
    await Promise.all([x.report(), y.report()]);
    await x.send([Buffer.from("hello"), Buffer.alloc(0)], [7000, "10.244.2.2"]);
    await Promise.all([x.stream([7000, "10.244.2.2"], 2000), y.stream([7000, "10.244.1.2"], 2000)]);
    await new Promise((r) => setTimeout(r, 1500));
    console.log(await x.quiet(), await y.quiet());
    await new Promise((r) => setTimeout(r, 100));
    console.log(await x.report(), await y.report());
    await expect(x.send([Buffer.from("hello")], [7000, "10.9.9.9.9"])).rejects.toThrow();
  } finally { cluster.destroy(); }
});
