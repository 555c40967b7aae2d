/**
 * What an outer header takes over from the inner one, and what it is told to have: TTL, DF, flow label and UDP checksum,
 * held against the kernel's VXLAN with the same options.
 *
 *   node-b (batch), node-d (dgram), node-r (raw), node-k (the kernel) ── router ── node-x
 *
 * What goes to node-x, a kernel node with default options, is captured at the router, where every packet has one hop
 * behind it.
 */
import { afterAll, beforeAll, expect, it } from "vitest";
import { Cluster, type NodeSpec } from "../../src/lab/cluster.ts";
import type { LabNode } from "../../src/lab/node.ts";
import { describeWith, lab, optionalPackage, tool } from "../helpers/needs.ts";
import { type Row, tshark } from "../helpers/tshark.ts";
import { captured } from "./capture.ts";
import { type Family, ipv6, podOf, serve, stream } from "./pods.ts";

interface Case {
  /** The underlay's family. */
  readonly family: Family;
  readonly config: Readonly<Record<string, unknown>>;
  /** The same for `ip link add type vxlan`. */
  readonly vxlan: string;
  /** What the other nodes must have to take it. */
  readonly receiver?: string;
}

const CASES: readonly Case[] = [
  { family: 4, config: { ttl: "inherit" }, vxlan: "ttl inherit" },
  { family: 4, config: { df: "inherit" }, vxlan: "df inherit" },
  {
    family: 4,
    config: { ttl: "inherit", df: "inherit", tos: "inherit", udpChecksum: "zero" },
    vxlan: "ttl inherit df inherit tos inherit noudpcsum",
  },
  {
    family: 4,
    config: { ttl: "inherit", df: "inherit", offload: "hairpin=on" },
    vxlan: "ttl inherit df inherit",
  },
  { family: 4, config: { ttl: "inherit", df: "set" }, vxlan: "ttl inherit df set udpcsum" },
  { family: 6, config: {}, vxlan: "" },
  {
    family: 6,
    config: { ttl: "inherit", df: "inherit", flowlabel: 0xabcde },
    vxlan: "ttl inherit df inherit flowlabel 0xabcde",
  },
  {
    family: 6,
    config: { flowlabel: 1, udpChecksum: "zero", tos: 0x28 },
    vxlan: "flowlabel 1 udp6zerocsumtx tos 0x28",
    receiver: "udp6zerocsumrx",
  },
];

const POPLIN = { "node-b": "batch", "node-d": "dgram", "node-r": "raw" } as const;
/** Inner TTLs, as they leave the pod: the host's forwarding takes one off. */
const TTLS = [3, 64, 65, 255];

/** What an outer header says, at the router. */
interface Outer {
  readonly tos: number;
  readonly ttl: number;
  readonly df: boolean | null;
  readonly flowLabel: number | null;
  readonly zeroChecksum: boolean;
}

/** Outer headers by what was inside: "IPv4, TTL 63, DF". */
type Headers = Readonly<Record<string, Outer>>;

for (const one of CASES) {
  const { family, config, vxlan, receiver } = one;
  describeWith(needs(family), titleOf(one), () => {
    let cluster: Cluster;
    beforeAll(async () => {
      const nodes: NodeSpec[] = Object.entries(POPLIN)
        .filter(([, underlay]) => family === 4 || underlay !== "raw") // it sends over IPv4 only
        .map(([name, underlay]) => ({ name, kind: "poplin", underlay, config }));
      nodes.push({ name: "node-k", kind: "kernel", vxlan });
      nodes.push({ name: "node-x", kind: "kernel", ...(receiver && { vxlan: receiver }) });
      cluster = await Cluster.start({ nodes, family, ipv6: true, router: true });
    });
    afterAll(() => cluster?.destroy());
    it("options ttl, tos, df, flowlabel, udpcsum and udp6zerocsumtx: the outer header is that of the kernel's VXLAN, whatever is inside", () =>
      pings(cluster, family, config));
    it("so is that of all segments of a stream", () => streams(cluster, family));
  });
}

function titleOf({ family, config, vxlan }: Case): string {
  const offload = config.offload === undefined ? "" : `, ${config.offload}`;
  return `over IPv${family}, ${vxlan || "default options"}${offload}`;
}

function needs(family: Family) {
  const tools = ["tshark", "tcpdump", "ethtool", "ping"].map(tool);
  return [lab(), ipv6(), ...tools, ...(family === 4 ? [optionalPackage("raw-socket")] : [])];
}

function sendersOf(cluster: Cluster): LabNode[] {
  return cluster.nodes.filter(({ plan }) => plan.name !== "node-x");
}

async function pings(cluster: Cluster, family: Family, config: Case["config"]): Promise<void> {
  const file = await captured(cluster, ["node-x"], async () => {
    for (const { pod } of sendersOf(cluster)) {
      for (const inner of [4, 6] as const) {
        for (const ttl of TTLS) {
          for (const df of inner === 4 ? ["do", "dont"] : ["do"]) {
            const options = ["-c", "1", "-W", "5", "-t", String(ttl), "-M", df, "-Q", "0x48"];
            await pod.exec("ping", ["-n", ...options, podOf(cluster.node("node-x"), inner)]);
          }
        }
      }
    }
  });
  const rows = read(file, "vxlan and (icmp.type == 8 or icmpv6.type == 128)");
  const found = headersBySender(cluster, rows, family);
  const kernel = found["node-k"]!;
  expect(Object.keys(kernel)).toHaveLength(3 * TTLS.length);
  // What the comparison rests on, so that it is never one of nothing.
  const values = (of: keyof Outer) => new Set(Object.values(kernel).map((outer) => outer[of])).size;
  expect(values("ttl")).toBe(config.ttl === "inherit" ? TTLS.length : 1);
  expect(values("df")).toBe(config.df === "inherit" && family === 4 ? 2 : 1);
  expect(values("flowLabel")).toBe(1);
  if (family === 6) expect(Object.values(kernel)[0]!.flowLabel).toBe(config.flowlabel ?? 0);
  for (const [name, underlay] of Object.entries(POPLIN)) {
    if (found[name] === undefined) continue;
    const expected = underlay === "dgram" ? ofDgram(kernel, found[name]) : ofRaw(kernel, underlay);
    expect(found[name], underlay).toEqual(expected);
  }
}

/** A raw socket sends no UDP checksum, whatever the option says. */
function ofRaw(kernel: Headers, underlay: string): Headers {
  if (underlay !== "raw") return kernel;
  return mapValues(kernel, (outer) => ({ ...outer, zeroChecksum: true }));
}

/** What node:dgram leaves to the kernel is what it was found to be; its TTL is the default, its checksum computed. */
function ofDgram(kernel: Headers, found: Headers): Headers {
  return mapValues(kernel, (_, name) => ({ ...found[name]!, tos: 0, ttl: 63, zeroChecksum: false }));
}

function mapValues(headers: Headers, map: (outer: Outer, name: string) => Outer): Headers {
  return Object.fromEntries(Object.entries(headers).map(([name, outer]) => [name, map(outer, name)]));
}

/** A stream leaves as super-frames, which are cut and sent many in one call. */
async function streams(cluster: Cluster, family: Family): Promise<void> {
  const receiver = cluster.node("node-x");
  await serve(receiver.pod);
  const file = await captured(cluster, ["node-x"], async () => {
    for (const { pod, plan } of sendersOf(cluster)) {
      if (plan.name === "node-d") continue;
      expect(await stream(pod, podOf(receiver, 4), 2 << 20)).toEqual({ sent: true, received: true });
    }
  });
  const bySender = groupBy(read(file, "vxlan and tcp"), (row) => senderOf(cluster, row, family));
  const kinds = (name: string): Outer[] => distinct(bySender[name]!.map((row) => outerOf(row, family)));
  const kernel = kinds("node-k");
  expect(kernel).toHaveLength(1);
  expect(kinds("node-b")).toEqual(kernel);
  if (family === 4) expect(kinds("node-r")).toEqual([{ ...kernel[0]!, zeroChecksum: true }]);
  expect(bySender["node-b"]!.length).toBeGreaterThan(1000);
}

function groupBy<T>(all: readonly T[], of: (one: T) => string): Record<string, T[]> {
  const groups: Record<string, T[]> = {};
  for (const one of all) {
    const name = of(one);
    groups[name] ??= [];
    groups[name].push(one);
  }
  return groups;
}

function distinct<T>(all: readonly T[]): T[] {
  return [...new Map(all.map((one) => [JSON.stringify(one), one])).values()];
}

const FIELDS = {
  4: { source: "ip.src", tos: "ip.dsfield", ttl: "ip.ttl" },
  6: { source: "ipv6.src", tos: "ipv6.tclass", ttl: "ipv6.hlim" },
} as const;
const [DF, FLOW, CHECKSUM] = ["ip.flags.df", "ipv6.flow", "udp.checksum"];

function read(file: string, filter: string): Row[] {
  const names = [...Object.values(FIELDS[4]), ...Object.values(FIELDS[6]), DF!, FLOW!, CHECKSUM!];
  return tshark(file, names, filter);
}

function senderOf(cluster: Cluster, row: Row, family: Family): string {
  const [source] = row[FIELDS[family].source]!;
  return cluster.nodes.find((node) => node.vtepAddress() === source)!.plan.name;
}

/** Each sender's outer headers, by what was inside. */
function headersBySender(cluster: Cluster, rows: readonly Row[], family: Family) {
  const result: Record<string, Headers> = {};
  for (const row of rows) {
    const name = senderOf(cluster, row, family);
    result[name] = { ...result[name], [innerOf(row, family)]: outerOf(row, family) };
  }
  return result;
}

function innerOf(row: Row, outer: Family): string {
  const inner = row[FIELDS[4].ttl]!.length > (outer === 4 ? 1 : 0) ? 4 : 6;
  const df = inner === 4 && isSet(row[DF!]!.at(-1)!) ? ", DF" : "";
  return `IPv${inner}, TTL ${row[FIELDS[inner].ttl]!.at(-1)}${df}`;
}

function outerOf(row: Row, family: Family): Outer {
  return {
    tos: Number(row[FIELDS[family].tos]![0]),
    ttl: Number(row[FIELDS[family].ttl]![0]),
    df: family === 4 ? isSet(row[DF!]![0]!) : null,
    flowLabel: family === 6 ? Number(row[FLOW!]![0]) : null,
    zeroChecksum: Number(row[CHECKSUM!]![0]) === 0,
  };
}

/** "1" up to tshark 4.0, "True" since. */
function isSet(flag: string): boolean {
  return flag === "1" || flag === "True";
}
