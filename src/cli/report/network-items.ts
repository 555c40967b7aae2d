/** What the node's kernel says of the network that the agent works in: links, routes, firewall, settings, offloads. */
import type { Item, Scene } from "./scene.ts";
import { output, type Prefix } from "./sources.ts";

/** Settings that decide whether packets get through: pattern of the shell under /proc/sys. */
const SETTINGS = [
  "net/ipv4/ip_forward",
  "net/ipv4/ip_no_pmtu_disc",
  "net/ipv4/conf/*/{forwarding,rp_filter,accept_local,arp_ignore}",
  "net/ipv4/neigh/default/gc_thresh{1,2,3}",
  "net/ipv6/conf/*/{disable_ipv6,forwarding,accept_ra}",
  "net/ipv6/route/max_size",
  "net/core/{rmem_max,wmem_max,rmem_default,netdev_max_backlog,optmem_max}",
  "net/bridge/bridge-nf-call-{iptables,ip6tables}",
  "net/netfilter/nf_conntrack_{max,count}",
  "kernel/{io_uring_disabled,unprivileged_userns_clone}",
];

export function networkItems({ running, status }: Scene): Item[] {
  // Programs see the network of who starts them: an agent may be in another one, as in a lab or a pod.
  const prefix: Prefix =
    !(running instanceof Error) && running.elsewhere
      ? ["nsenter", "--target", String(running.pid), "--net", "--"]
      : [];
  const printed = (file: string, about: string, program: string, args: readonly string[]): Item => {
    return { file, about, text: () => output(program, args, prefix) };
  };
  const ip = (file: string, args: string): Item => printed(file, `\`ip ${args}\``, "ip", args.split(" "));
  return [
    ip("ip-link.txt", "-d -s link show"),
    ip("ip-addr.txt", "-d addr show"),
    ip("ip-route.txt", "-d -4 route show table all"),
    ip("ip-route6.txt", "-d -6 route show table all"),
    ip("ip-rule.txt", "rule show"),
    ip("ip-neigh.txt", "-d neigh show"),
    printed("bridge-fdb.txt", "`bridge fdb show`", "bridge", ["fdb", "show"]),
    printed("tc.txt", "`tc -s qdisc show`", "tc", ["-s", "qdisc", "show"]),
    ...["iptables-save", "ip6tables-save"].map((program): Item => {
      return {
        file: `${program}.txt`,
        about: `\`${program}\`: flannel's rules, and what happens to what none of them takes`,
        text: async () => flannels(await output(program, [], prefix)),
      };
    }),
    { file: "nft.txt", about: "flannel's tables of nft", text: () => nftTables(prefix) },
    // A shell opens them, so that they are those of the agent's network.
    printed("sysctl.txt", "settings under /proc/sys", "bash", [
      "-c",
      `shopt -s nullglob; cd /proc/sys && grep -s "" ${SETTINGS.join(" ")} || true`,
    ]),
    {
      file: "ethtool.txt",
      about: "the uplink's driver and offloads",
      text: async () => {
        if (status instanceof Error)
          throw new Error("which interface carries the underlay only the agent could say");
        const uplinks = [
          ...new Set(status.underlays.flatMap(({ uplink }) => (uplink === null ? [] : [uplink]))),
        ];
        if (uplinks.length === 0) throw new Error("the agent does not know its uplink");
        const texts = uplinks.flatMap((name) =>
          ["-i", "-k"].map((what) => output("ethtool", [what, name], prefix)),
        );
        return (await Promise.all(texts)).join("\n");
      },
    },
    printed("sockets.txt", "who has which UDP socket", "ss", ["-u", "-a", "-n", "-p", "-m"]),
  ];
}

/** Of what iptables-save prints: tables, policies of the kernel's own chains, and rules of flannel's. */
function flannels(text: string): string {
  const lines = text.split("\n").filter((line) => /^\*|^:(FORWARD|POSTROUTING) |flannel/i.test(line));
  return lines.length === 0 ? "no table" : lines.join("\n");
}

async function nftTables(prefix: Prefix): Promise<string> {
  const tables = (await output("nft", ["list", "tables"], prefix))
    .split("\n")
    .filter((line) => /flannel/i.test(line));
  if (tables.length === 0) throw new Error("nft has no table of flannel's");
  return (
    await Promise.all(tables.map((table) => output("nft", ["list", ...table.split(" ")], prefix)))
  ).join("\n");
}
