/**
 * What learning and flooding must not do to those who behave: a VTEP that invents a million MACs, and a station that
 * broadcasts as fast as it can, while others ping each other. The same hosts as in `vtep.test.ts`.
 */
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import { describeWith, lab, tool } from "../helpers/needs.ts";
import { ethernet } from "../wire/frames.ts";
import { megabytes, memoryOf } from "./agents.ts";
import { Bridged, DEVICE, ping, VNI } from "./bridged.ts";
import { ready } from "./stress/traffic.ts";
import { flood } from "./traffic/flood.ts";
import { macNumber, vxlan } from "./traffic/packets.ts";
import { Pinger } from "./traffic/ping.ts";

const ARP = fileURLToPath(new URL("./traffic/arp.mjs", import.meta.url));
const NEEDS = [lab(), tool("bridge"), tool("ping")];
const MOST = 10_000;
/** Of a flood of ARP. */
const SECONDS = 2;

describeWith(NEEDS, "learning", () => {
  let net: Bridged;
  beforeAll(async () => {
    net = await Bridged.start({ family: 4, port: 8472, args: ["--maxaddress", String(MOST)] });
  });
  afterAll(() => net?.destroy());

  it("option maxaddress: a million source MACs, keeps to maxaddress, memory bounded, known flows unharmed", async () => {
    const { p, k, l } = net;
    expect(await ping(p, `10.9.0.${l.number}`)).toBe(3);
    const before = memoryOf(net.pid).rss;
    const pinger = new Pinger(p.station, `10.9.0.${l.number}`);
    await pinger.next();
    const macs = { source: macNumber("02:aa:00:00:00:00"), destination: macNumber(p.mac) };
    const sample = vxlan(ethernet(0x88b5, new Uint8Array(46), macs), { vni: VNI });
    const { sent } = await flood(k.host, {
      ...{ seconds: 60, seed: 1, from: k.address, to: p.address, kind: "macs", samples: [sample] },
      ...{ most: 1_000_000, rate: 150_000 },
    });
    const answered = pinger.replies.length;
    await pinger.kill();
    expect(sent).toBeGreaterThanOrEqual(1_000_000);
    const learned = await net.learned();
    const stats = await net.client.stats();
    console.log(
      `${sent} MACs, ${stats.rxFrames} frames let in, ${Object.keys(learned).length} rows; ${answered} pings answered; ` +
        `memory ${megabytes(before)} to ${megabytes(memoryOf(net.pid).peak)} MB`,
    );
    expect(Object.keys(learned)).toHaveLength(MOST);
    expect(stats.fdbFull).toBeGreaterThan(100_000);
    expect(learned[l.mac]).toMatchObject({ dst: l.address });
    expect(memoryOf(net.pid).peak - before).toBeLessThan(40e6);
    expect(answered).toBeGreaterThan(0);
    const flooded = (await net.client.stats()).txFlooded;
    expect(await ping(p, `10.9.0.${l.number}`, 20)).toBe(20);
    expect((await net.client.stats()).txFlooded - flooded).toBeLessThan(10);
  });

  it("flush forgets them, and the next frame is learned again", async () => {
    const { p, l } = net;
    expect(await net.client.flushFdb()).toBe(MOST);
    expect(await ping(p, `10.9.0.${l.number}`)).toBe(3);
    expect((await net.learned())[l.mac]).toMatchObject({ dst: l.address });
  });
});

for (const rate of [0, 1000]) {
  describeWith(NEEDS, `a flood of ARP at full speed, floodRate ${rate}`, () => {
    let net: Bridged;
    beforeAll(async () => {
      net = await Bridged.start({ family: 4, port: 8472, args: ["--flood-rate", String(rate)] });
    });
    afterAll(() => net?.destroy());

    it("does not stop known unicast", async () => {
      const { p, k } = net;
      expect(await ping(p, `10.9.0.${k.number}`)).toBe(3);
      const order = JSON.stringify({ device: "mad0", seconds: SECONDS });
      const stdio = ["pipe", "pipe", "inherit"] as ["pipe", "pipe", "inherit"];
      const mad = p.host.spawn(process.execPath, [ARP, order], { stdio });
      await ready(mad, p.host);
      p.host.ip("link set mad0 master br0", "link set mad0 up");
      const pinger = new Pinger(p.station, `10.9.0.${k.number}`);
      await pinger.next();
      const before = pinger.replies.length;
      mad.stdin!.write("go\n");
      const [text] = (await once(mad.stdout!, "data")) as [Buffer];
      const during = pinger.replies.length - before;
      await pinger.kill();
      const { drops, txFlooded } = await net.client.stats();
      console.log(
        `floodRate ${rate}: ${JSON.parse(String(text)).sent} ARP requests in ${SECONDS} s, ${txFlooded} flooded, dropped ` +
          `${JSON.stringify(drops.tx)}; ${during} pings answered meanwhile`,
      );
      expect(during).toBeGreaterThan(0);
      if (rate > 0) {
        expect(drops.tx.FLOOD_LIMIT).toBeGreaterThan(1000);
        expect(txFlooded).toBeLessThan(rate * 2 * (SECONDS + 2));
      }
      expect(await ping(p, `10.9.0.${k.number}`, 20)).toBe(20);
      expect((await net.client.status()).device.name).toBe(DEVICE);
    });
  });
}
