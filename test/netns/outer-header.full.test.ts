/**
 * The outer header, held against the kernel's VXLAN with the same options: TOS, TTL and DF of what leaves, and what
 * becomes of congestion marks on the way in and out. IPv4 and IPv6 inside, over IPv4 and over IPv6.
 *
 *   node-b (batch), node-d (dgram), node-r (raw), node-k (the kernel) ── router ── node-x
 *
 * node-x is a second kernel node, with default options. What goes to it is captured at the router, where every packet
 * has one hop behind it; and its host sends what no VTEP would, each pair of outer and inner ECN, to the other four.
 */
import { afterAll, beforeAll, expect, it } from "vitest";
import type { UnderlayCapabilities } from "../../src/dataplane/ports.ts";
import { Cluster, type NodeSpec } from "../../src/lab/cluster.ts";
import { DEVICE, VXLAN_PORT } from "../../src/lab/node.ts";
import { describeWith, lab, optionalPackage, tool } from "../helpers/needs.ts";
import { type Row, tshark } from "../helpers/tshark.ts";
import { captured } from "./capture.ts";
import { ecnPairs, type Outcome, outcome, PAIRS_PORT, RFC_6040, UNSEEN } from "./ecn-pairs.ts";
import { arrivals, DATA_PORT, datagrams, type Family, inject, ipv6, podOf, serve } from "./pods.ts";

interface Options {
  readonly tos?: number | "inherit";
  readonly ttl?: number;
  readonly df?: "set";
}

const OPTIONS: readonly Options[] = [
  {},
  { tos: 0x28, ttl: 33, df: "set" },
  { tos: "inherit" },
  // the ECN bits of the option itself are of no account
  { tos: 0xff, ttl: 255 },
];

/** All ECN values, with no DSCP, some, and the largest. */
const INNER_TOS = [0x00, 0x28, 0xfc].flatMap((dscp) => [0, 1, 2, 3].map((ecn) => dscp | ecn));
const POPLIN = { "node-b": "batch", "node-d": "dgram", "node-r": "raw" } as const;
const CE = 3;
const ECT_0 = 2;

/** What an outer header says, at the router. */
interface Outer {
  readonly tos: number;
  readonly ttl: number;
  /** Null over IPv6, which has none. */
  readonly df: boolean | null;
}

/** Outer headers by what was inside: "IPv4, TOS 0x28". */
type Headers = Readonly<Record<string, Outer>>;

for (const family of [4, 6] as const) {
  for (const options of OPTIONS) {
    const words = Object.entries(options).map(([name, value]) => `${name} ${word(name, value)}`);
    describeWith(needs(family), `over IPv${family}, ${words.join(", ") || "default options"}`, () => {
      let cluster: Cluster;
      beforeAll(async () => {
        cluster = await start(family, options, words.join(" "));
      });
      afterAll(() => cluster?.destroy());
      it("options tos, ttl and df: outer TOS, TTL and DF are those of the kernel's VXLAN", () =>
        sends(cluster, options));
      if (words.length === 0) {
        it("each pair of outer and inner ECN becomes what the kernel's VXLAN makes of it", () =>
          receives(cluster));
      }
    });
  }
}

/** As iproute2 reads it: a TOS is hexadecimal, whether it looks so or not. */
function word(name: string, value: number | string): string {
  return name === "tos" && value !== "inherit" ? `0x${value.toString(16)}` : String(value);
}

function needs(family: Family) {
  const tools = ["tshark", "tcpdump", "ethtool", "ping"].map(tool);
  return [lab(), ipv6(), ...tools, ...(family === 4 ? [optionalPackage("raw-socket")] : [])];
}

async function start(family: Family, config: Options, vxlan: string): Promise<Cluster> {
  const nodes: NodeSpec[] = Object.entries(POPLIN)
    .filter(([, underlay]) => family === 4 || underlay !== "raw") // it sends over IPv4 only
    .map(([name, underlay]) => ({ name, kind: "poplin", underlay, config: { ...config } }));
  nodes.push({ name: "node-k", kind: "kernel", vxlan }, { name: "node-x", kind: "kernel" });
  const cluster = await Cluster.start({ nodes, family, ipv6: true, router: true });
  await Promise.all(cluster.nodes.map(({ pod }) => serve(pod)));
  return cluster;
}

async function sends(cluster: Cluster, options: Options): Promise<void> {
  const senders = cluster.nodes.filter(({ plan }) => plan.name !== "node-x");
  const file = await captured(cluster, ["node-x"], async () => {
    for (const { pod } of senders) {
      for (const inner of [4, 6] as const) {
        const to = podOf(cluster.node("node-x"), inner);
        const { sent, received } = await datagrams(
          pod,
          to,
          INNER_TOS.map((tos) => ({ bytes: 100, tos })),
        );
        expect(received).toEqual(sent); // inner TOS as it was, CE included
      }
    }
  });
  const found = headersBySender(cluster, file);
  const kernel = found["node-k"]!;
  expect(kernel).toEqual(expectedOfKernel(cluster.nodes[0]!.options.family, options));
  for (const [name, underlay] of Object.entries(POPLIN)) {
    if (found[name] === undefined) continue;
    const { capabilities } = (await cluster.poplin(name).status()).underlay;
    if (underlay !== "dgram") expect(capabilities).toMatchObject({ sendTos: true, ttl: true, df: true });
    expect(found[name], underlay).toEqual(asFarAs(capabilities, kernel, found[name]));
  }
}

/** The kernel's own rules (vxlan_xmit_one): what the comparison rests on, so that it is never one of nothing. */
function expectedOfKernel(family: Family, { tos = 0, ttl = 64, df }: Options): Headers {
  const entries = ([4, 6] as const).flatMap((inner) =>
    INNER_TOS.map((innerTos): [string, Outer] => {
      const ecn = innerTos & 3;
      const dscp = (tos === "inherit" ? innerTos : tos) & 0xfc;
      const outer = {
        tos: dscp | (ecn === CE ? ECT_0 : ecn),
        ttl: ttl - 1,
        df: family === 4 ? df === "set" : null,
      };
      return [key(inner, innerTos), outer];
    }),
  );
  return Object.fromEntries(entries);
}

/** The kernel's headers, but for what an underlay declares that it cannot set: TOS is 0 then, DF what it was found to be. */
function asFarAs(capabilities: UnderlayCapabilities, kernel: Headers, found: Headers): Headers {
  const { sendTos, df } = capabilities;
  const entries = Object.entries(kernel).map(([name, header]) => [
    name,
    { ...header, ...(sendTos ? {} : { tos: 0 }), ...(df ? {} : { df: found[name]?.df }) },
  ]);
  return Object.fromEntries(entries);
}

const FIELDS = {
  4: { source: "ip.src", tos: "ip.dsfield", ttl: "ip.ttl" },
  6: { source: "ipv6.src", tos: "ipv6.tclass", ttl: "ipv6.hlim" },
} as const;
const DF = "ip.flags.df";

/** Each sender's outer headers, by what was inside. */
function headersBySender(cluster: Cluster, file: string): Readonly<Record<string, Headers>> {
  const outer = cluster.nodes[0]!.options.family;
  const names = [...Object.values(FIELDS[4]), ...Object.values(FIELDS[6]), DF];
  const rows = tshark(file, names, `vxlan and udp.dstport == ${DATA_PORT}`, [DATA_PORT]);
  const result: Record<string, Headers> = {};
  for (const row of rows) {
    const inner = row[FIELDS[4].tos]!.length > (outer === 4 ? 1 : 0) ? 4 : 6;
    const sender = cluster.nodes.find((node) => node.vtepAddress() === row[FIELDS[outer].source]![0])!;
    const { name } = sender.plan;
    const innerTos = Number(row[FIELDS[inner].tos]!.at(-1));
    result[name] = { ...result[name], [key(inner, innerTos)]: outerOf(row, outer) };
  }
  return result;
}

function outerOf(row: Row, family: Family): Outer {
  return {
    tos: Number(row[FIELDS[family].tos]![0]),
    ttl: Number(row[FIELDS[family].ttl]![0]),
    // "1" up to tshark 4.0, "True" since
    df: family === 4 ? ["1", "True"].includes(row[DF]![0]!) : null,
  };
}

function key(inner: Family, tos: number): string {
  return `IPv${inner}, TOS 0x${tos.toString(16)}`;
}

async function receives(cluster: Cluster): Promise<void> {
  const injector = cluster.node("node-x");
  const results: Record<string, Outcome> = {};
  for (const node of cluster.nodes.filter((one) => one !== injector)) {
    for (const inner of [4, 6] as const) {
      const { name } = node.plan;
      const packets = ecnPairs(injector.plan, node.plan, inner);
      await inject(injector.host, { address: node.vtepAddress(), port: VXLAN_PORT }, packets);
      const expected = Object.keys((await seesMarks(cluster, name)) ? RFC_6040 : UNSEEN).length;
      const arrived = await arrivals(injector.pod, podOf(node, inner), PAIRS_PORT, expected + 1);
      results[`${name}, IPv${inner}`] = outcome(arrived);
    }
  }
  for (const inner of [4, 6] as const) {
    const kernel = results[`node-k, IPv${inner}`];
    expect(kernel).toEqual(RFC_6040);
    for (const [name, underlay] of Object.entries(POPLIN)) {
      const found = results[`${name}, IPv${inner}`];
      if (found === undefined) continue;
      const sees = await seesMarks(cluster, name);
      expect(sees, underlay).toBe(underlay !== "dgram");
      expect(found, underlay).toEqual(sees ? kernel : UNSEEN);
    }
  }
  await counted(cluster);
}

/** Whether a node knows the outer TOS of what it receives. */
async function seesMarks(cluster: Cluster, name: string): Promise<boolean> {
  if (!(name in POPLIN)) return true;
  return (await cluster.poplin(name).status()).underlay.capabilities.recvTos;
}

/** The drops, one for each inner family, and the marks that were carried inwards, are counted under their names. */
async function counted(cluster: Cluster): Promise<void> {
  for (const name of Object.keys(POPLIN)) {
    if (!cluster.nodes.some(({ plan }) => plan.name === name)) continue;
    const { drops, rxEcnMarked } = await cluster.poplin(name).client.stats();
    const sees = await seesMarks(cluster, name);
    expect(drops.rx).toEqual(sees ? { IP_TUNNEL_ECN: 2 } : {});
    expect(rxEcnMarked).toBe(sees ? 6 : 0);
  }
  const { stdout } = await cluster.node("node-k").host.exec("ip", ["-j", "-s", "-s", "link", "show", DEVICE]);
  expect(JSON.parse(stdout)[0].stats64.rx.frame_errors).toBe(2);
}
