/** `poplin whatif`: what is said of Linux and of poplin happens, and of the lab nothing is left. */
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { expect, it } from "vitest";
import { POPLIN } from "../../src/lab/agent-process.ts";
import { records } from "../../src/lab/registry.ts";
import { describeFull, describeWith, dropTrace, lab } from "../helpers/needs.ts";
import { until } from "./agents.ts";

interface Answer {
  readonly changes: readonly { readonly field: string }[];
  readonly outcomes: Readonly<
    Record<"Linux" | "poplin", { readonly in: boolean; readonly reasons: readonly string[] }>
  >;
  readonly isAsSaid: boolean;
}

function whatif(words: string): Answer {
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    [POPLIN, "whatif", ...words.split(" "), "-j"],
    {
      encoding: "utf8",
    },
  );
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  return JSON.parse(stdout) as Answer;
}

/** Instances of the kernel's tracing, which are the machine's. */
const TRACES = "mount -t tracefs tracefs /sys/kernel/tracing && ls /sys/kernel/tracing/instances";

/** What the packet came to: "in", or the first reason. */
const came = ({ in: isIn, reasons }: Answer["outcomes"]["Linux"]): string | undefined =>
  isIn ? "in" : reasons[0];

type Case = readonly [words: string, linux: string, poplin: string];

/** One of each kind; the others are for the long run. */
const SOME: readonly Case[] = [
  ["vni=2", "VXLAN_VNI_NOT_FOUND", "VXLAN_VNI_NOT_FOUND"],
  ["vxlan.reserved3=1", "VXLAN_INVALID_HDR", "in"],
  ["outer.ipv4.source=172.19.0.9", "in", "UNKNOWN_VTEP"],
  ["--example ipv6 outer.udp.checksum=0", "UDP_CSUM", "UDP_CSUM"],
  ["mtu=1500", "in", "PKT_TOO_BIG"],
];
const MORE: readonly Case[] = [
  ["flags.i=0", "VXLAN_INVALID_HDR", "VXLAN_INVALID_HDR"],
  ["g=1 group=100", "VXLAN_INVALID_HDR", "in"],
  ["outer.udp.destinationPort=4789", "NO_SOCKET", "NO_SOCKET"],
  ["outer.udp.checksum=1", "UDP_CSUM", "UDP_CSUM"],
  ["outer.headerChecksum=1", "IP_CSUM", "IP_CSUM"],
  ["outer.ecn=3", "IP_TUNNEL_ECN", "IP_TUNNEL_ECN"],
  ["inner.ethernet.source=3e:0b:61:77:6d:02", "LOCAL_MAC", "LOCAL_MAC"],
  ["inner.ethernet.source=01:00:5e:00:00:01 --learning", "MAC_INVALID_SOURCE", "MAC_INVALID_SOURCE"],
  ["--example vlan vlanId=7", "in", "in"],
  ["--example gbp --gbp group=7", "in", "in"],
  ["outer.ttl=1", "in", "in"],
  ["mtu=1450", "in", "in"],
  ["mtu=100 vni=2", "VXLAN_VNI_NOT_FOUND", "VXLAN_VNI_NOT_FOUND"],
];

const happens = (cases: readonly Case[]) =>
  it.each(cases)("%s: Linux %s, poplin %s", (words, linux, poplin) => {
    const { outcomes, isAsSaid, changes } = whatif(words);
    expect([came(outcomes.Linux), came(outcomes.poplin)]).toEqual([linux, poplin]);
    expect(isAsSaid).toBe(true);
    expect(changes.length).toBeGreaterThan(0);
  });

describeFull([lab(), dropTrace()], "poplin whatif, with more", () => happens(MORE));

describeWith([lab(), dropTrace()], "poplin whatif", () => {
  happens(SOME);

  it("leaves nothing behind: no namespace, no trace", async () => {
    const child = spawn(process.execPath, [POPLIN, "whatif", "vni=2", "-j"], { stdio: "ignore" });
    const ended = once(child, "close");
    // Others have labs, too, and come and go meanwhile.
    const ours = () => records().find(({ owner }) => owner.pid === child.pid);
    await until("its lab", () => ours() !== undefined);
    const { id } = ours()!;
    const mine = (text: string) => text.split(/\s+/).filter((name) => name.startsWith(`poplin-${id}-`));
    const spaces = () => mine(execFileSync("ip", ["netns", "list"], { encoding: "utf8" }));
    const traces = () => mine(execFileSync("unshare", ["--mount", "sh", "-c", TRACES], { encoding: "utf8" }));
    await until("its hosts and their traces", () => spaces().length === 2 && traces().length === 2);
    expect(await ended).toEqual([0, null]);
    expect([...spaces(), ...traces()]).toEqual([]);
    expect(ours()).toBeUndefined();
  });
});
