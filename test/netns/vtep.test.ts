/**
 * `poplin vtep` as a bridge port among the kernel's own (`bridged.ts`): what a station behind one says reaches the
 * stations behind the others as if they were on one switch, and each VTEP learns from each.
 */
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Host } from "../../src/lab/host.ts";
import { iperf } from "../../src/lab/iperf.ts";
import { describeFull, describeWith, lab, tool } from "../helpers/needs.ts";
import { sleep, until } from "./agents.ts";
import { Bridged, type BridgedOptions, DEVICE, ping, pingFrom } from "./bridged.ts";
import { ipv6 } from "./pods.ts";

const VARIANTS: readonly (readonly [string, BridgedOptions])[] = [
  ["IPv4, a copy for each, port 8472", { family: 4, port: 8472 }],
  ["IPv4, a multicast group, port 4789", { family: 4, port: 4789, group: "239.1.1.1" }],
  ["IPv6, a copy for each, port 4789", { family: 6, port: 4789 }],
  [
    "IPv6, a multicast group, port 8472, two queues",
    { family: 6, port: 8472, group: "ff05::100", args: ["--queues", "2"] },
  ],
];

const SOURCE_PORTS = [50_000, 50_100] as const;
const NEEDS = [lab(), ipv6(), ...["bridge", "ping", "tcpdump", "iperf3"].map(tool)];

VARIANTS.forEach(([title, options], i) => {
  // The last has all there is once; the others are for the long run.
  const describe = i === VARIANTS.length - 1 ? describeWith : describeFull;
  describe(NEEDS, `a bridge port over ${title}`, () => {
    let net: Bridged;
    beforeAll(async () => {
      const args = [...(options.args ?? []), "--srcport", ...SOURCE_PORTS.map(String)];
      net = await Bridged.start({ ...options, ageing: 2, args });
    });
    afterAll(() => net?.destroy());

    it("option dstport, local, dev and id: every station reaches every other, IPv4 and IPv6", async () => {
      for (const from of net.hosts) {
        for (const to of net.hosts) {
          if (from === to) continue;
          expect(await ping(from, `10.9.0.${to.number}`), `${from.plan.name} to ${to.plan.name}`).toBe(3);
          expect(await ping(from, `fd00:9::${to.number}`)).toBe(3);
        }
      }
    });

    it("option learning: both know where the stations are, and unicast goes to one VTEP alone", async () => {
      const { p, k, l } = net;
      expect(await ping(p, `10.9.0.${k.number}`)).toBe(3);
      expect((await net.learned())[k.mac]).toMatchObject({ dst: k.address, port: options.port });
      expect(await net.kernelPlace(k, p.mac)).toBe(p.address);
      const [before, flooded] = [await net.received(l), (await net.client.stats()).txFlooded];
      expect(await ping(p, `10.9.0.${k.number}`, 50)).toBe(50);
      // The third hears what is flooded, neighbour discovery and the like, and none of the pings.
      expect((await net.received(l)) - before).toBeLessThan(25);
      expect((await net.client.stats()).txFlooded - flooded).toBeLessThan(25);
    });

    it(`option ${options.group === undefined ? "remote" : "group"}: broadcast and multicast reach every station`, async () => {
      const { p, k, l } = net;
      for (const { station } of [k, l, p]) station.sysctl({ "net/ipv4/icmp_echo_ignore_broadcasts": 0 });
      for (const from of [p, k]) {
        const { stdout } = await from.station.exec(
          "ping",
          ["-n", "-c", "3", "-i", "0.2", "-b", "10.9.0.255"],
          {
            check: false,
          },
        );
        for (const to of net.hosts) {
          if (to !== from) expect(stdout).toContain(`from 10.9.0.${to.number}`);
        }
        const all = await from.station.exec("ping", ["-n", "-c", "3", "-i", "0.2", "ff02::1%eth0"], {
          check: false,
        });
        for (const to of net.hosts) expect(all.stdout).toContain(`from fe80::99:ff:fe00:${to.number}%eth0`);
      }
    });

    it("tagged frames pass unchanged", async () => {
      const { p, k } = net;
      await Promise.all([net.tagged(p), net.tagged(k)]);
      expect(await pingFrom(p.host, `10.7.0.${k.number}`)).toBe(3);
      expect(await pingFrom(k.host, `10.7.0.${p.number}`, 3, "-s", "1390")).toBe(3);
    });

    it("the largest frame passes both ways, and TCP at full size", async () => {
      const { p, k } = net;
      expect(await ping(p, `10.9.0.${k.number}`, 3, "-s", String(1430 - 28), "-M", "do")).toBe(3);
      expect(await ping(k, `10.9.0.${p.number}`, 3, "-s", String(1430 - 28), "-M", "do")).toBe(3);
      for (const [server, client] of [
        [p, k],
        [k, p],
      ] as const) {
        const { end } = await iperf(client.station, server.station, `10.9.0.${server.number}`, ["-n", "20M"]);
        expect(end.sum_received.bytes).toBeGreaterThan(15e6);
      }
    });

    it("option srcport: flows leave from ports of the range, each from one", async () => {
      const { p, k } = net;
      const filter = ["-i", "eth0", "-nn", "-c", "40", "udp", "and", "src", "host", p.address];
      const outer = new RegExp(`${p.address.replaceAll(".", "\\.")}\\.(\\d+) > `, "g");
      const capture = k.host.exec("tcpdump", [...filter, "and", "dst", "port", String(options.port)]);
      await until("the capture", async () => {
        await ping(p, `10.9.0.${k.number}`, 5);
        return Promise.race([capture.then(() => true), sleep(10)]);
      });
      const ports = [...(await capture).stdout.matchAll(outer)].map(([, port]) => Number(port));
      expect(ports).toHaveLength(40);
      expect(Math.min(...ports)).toBeGreaterThanOrEqual(SOURCE_PORTS[0]);
      expect(Math.max(...ports)).toBeLessThanOrEqual(SOURCE_PORTS[1]);
      expect(new Set(ports).size).toBeLessThanOrEqual(16);
    });

    it("a MAC that moves is followed, by poplin and by the kernel", async () => {
      const { p, k, l } = net;
      expect(await ping(p, `10.9.0.${k.number}`)).toBe(3);
      const roaming = "02:99:00:00:00:77";
      const appear = async (at: typeof p): Promise<void> => {
        for (const one of net.hosts)
          one.station.ip("link set eth0 down", `link set eth0 address ${one.mac}`, "link set eth0 up");
        at.station.ip("link set eth0 down", `link set eth0 address ${roaming}`, "link set eth0 up");
        const other = at === p ? k : p;
        await until("an answer", async () => (await ping(at, `10.9.0.${other.number}`, 1)) === 1);
      };
      await appear(k);
      expect((await net.learned())[roaming]).toMatchObject({ dst: k.address });
      await appear(l);
      const { dst, learned } = (await net.learned())[roaming]!;
      expect([dst, learned!.moves]).toEqual([l.address, 1]);
      const why = await p.host.exec(process.execPath, [
        "dist/cli/main.js",
        "fdb",
        "why",
        roaming,
        "--socket",
        net.client.path,
      ]);
      expect(why.stdout).toMatch(new RegExp(`is behind ${l.address}`));
      expect(why.stdout).toMatch(/moved 1 time/);
      expect(why.stdout).toMatch(new RegExp(`by a packet from ${l.address} port \\d+`));
      await appear(p);
      await until("the kernel's row", async () => (await net.kernelPlace(k, roaming)) === p.address);
      for (const one of net.hosts)
        one.station.ip("link set eth0 down", `link set eth0 address ${one.mac}`, "link set eth0 up");
    });

    it("option ageing: what is not heard of goes", async () => {
      const { p, k } = net;
      await until("an answer", async () => (await ping(p, `10.9.0.${k.number}`, 1)) === 1);
      expect((await net.learned())[k.mac]).toBeDefined();
      for (const { station } of net.hosts) station.ip("link set eth0 down");
      await until("the row's end", async () => Object.keys(await net.learned()).length === 0, 15_000);
      expect((await net.client.stats()).fdbAged).toBeGreaterThan(0);
      for (const { station } of net.hosts) station.ip("link set eth0 up");
      await until("an answer", async () => (await ping(p, `10.9.0.${k.number}`, 1)) === 1);
    });

    it("what is flooded arrives once", async () => {
      const { p, k, l } = net;
      for (const [from, to] of [
        [k, p],
        [p, k],
        [p, l],
      ] as const) {
        const before = await echoesAt(to.station);
        const words = ["-n", "-i", "0.05", "-c", "20", "-b", "10.9.0.255"];
        await from.station.exec("ping", words, { check: false });
        await until("the last echo", async () => (await echoesAt(to.station)) - before >= 20);
        expect((await echoesAt(to.station)) - before, `${from.plan.name} to ${to.plan.name}`).toBe(20);
      }
    });

    it("nothing was dropped that should not have been", async () => {
      const { tx, rx } = (await net.client.stats()).drops;
      const { stdout } = await net.p.host.exec("ip", ["-s", "-j", "link", "show", DEVICE]);
      expect(JSON.parse(stdout)[0].stats64.rx.errors).toBe(0);
      expect([tx, rx]).toEqual([{}, {}]);
    });
  });
});

/** Echo requests that a host has received. */
async function echoesAt(host: Host): Promise<number> {
  const { stdout } = await host.exec("cat", ["/proc/net/snmp"]);
  const [names, values] = stdout.split("\n").filter((line) => line.startsWith("Icmp:"));
  return Number(values!.split(" ")[names!.split(" ").indexOf("InEchos")]);
}
