import { afterAll, beforeAll, expect, it } from "vitest";
import { Cluster } from "../../src/lab/cluster.ts";
import { datagrams, iperf, ping, podOf, serve, stream } from "./pods.ts";
let c: Cluster;
const T = async (n: string, f: () => Promise<unknown>) => { const s = Date.now(); const r = await f(); console.log(n, Date.now() - s, "ms", JSON.stringify(r).slice(0, 300)); return r; };
beforeAll(async () => {
  await T("start", async () => { c = await Cluster.start({ nodes: ["node-a", "node-b"].map((name) => ({ name, kind: (process.env.KIND ?? "kernel") as any, underlay: process.env.UNDERLAY as any })) }); return 0 });
  await T("serve", () => Promise.all(c.nodes.map((n) => serve(n.pod))));
});
afterAll(() => c?.destroy());
it("x", async () => {
  const [a, b] = c.nodes as any;
  for (const f of [4, 6] as const) {
    await T("ping", () => ping(a.pod, podOf(b, f), [0, 1, 7, 8, 15, 16, 17, 18, 56, 100, 1000, f === 4 ? 1422 : 1402]));
    await T("stream", () => stream(a.pod, podOf(b, f), 4 << 20));
    await T("iperf", () => iperf(a.pod, podOf(b, f), ["-n", "8M"]));
    await T("iperf", () => iperf(a.pod, podOf(b, f), ["-n", "8M", "-R"]));
    const r: any = await T("udp", () => datagrams(a.pod, podOf(b, f), [0, 1, 2, 3, 100, 1000, 1402].map((bytes) => ({ bytes, tos: bytes & 0xff }))));
    expect(r.received).toEqual(r.sent);
    const s: any = await T("seg", () => datagrams(a.pod, podOf(b, f), [{ bytes: 64000, segment: 1400 }, { bytes: 1000, segment: 100 }, { bytes: 64, segment: 1 }]));
    expect(s.received).toEqual(s.sent);
  }
});
