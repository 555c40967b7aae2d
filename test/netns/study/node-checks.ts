/** What the study shows on nodes where whole lines are not the point, or more than one command is asked. */
import { expect } from "vitest";
import { BIN } from "../../../src/lab/study/node.ts";
import { type Case, plain } from "./compare.ts";

export const UP = "<BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1450 qdisc noqueue";
export const FOREVER = "valid_lft forever preferred_lft forever";
export const PLUGINS = ["bridge", "flannel", "host-local", "loopback", "portmap", "ptp"];

export const plugins: Case = {
  check(output) {
    const [, ...lines] = output.trim().split("\n");
    expect(lines.map((line) => /\d\d:\d\d (\S+)/.exec(line)![1])).toEqual(PLUGINS);
    const links = lines.filter((line) => line.includes(" -> /usr/lib/cni/"));
    // The one of poplin's own is a file, as all are in the study.
    expect(links).toHaveLength(PLUGINS.length - 1);
    return "plugins are links" as const;
  },
};

export const subnetEnv: Case = {
  async check(output, study) {
    const [, third] = /FLANNEL_SUBNET=10\.244\.(\d)\.1\/24/.exec(output)!;
    expect(output.split("\n")).toEqual([
      "FLANNEL_NETWORK=10.244.0.0/16",
      `FLANNEL_SUBNET=10.244.${third}.1/24`,
      "FLANNEL_MTU=1450",
      "FLANNEL_IPMASQ=true",
      "",
    ]);
    expect(study.nodes.filter((node) => node.subnetEnv() === output).map(({ plan }) => plan.subnet)).toEqual([
      `10.244.${third}.0/24`,
    ]);
    return null;
  },
};

/** The namespace of a type, as `lsns` numbers it. */
function namespacesOf(output: string): Map<string, string> {
  const rows = output.trim().split("\n").slice(1);
  return new Map(rows.map((row) => row.trim().split(/\s+/)).map(([ns, type]) => [type!, ns!]));
}

const TYPES = ["time", "user", "mnt", "uts", "ipc", "pid", "net", "cgroup"];

export const ofInit: Case = {
  check(output) {
    expect([...namespacesOf(output).keys()].sort()).toEqual([...TYPES].sort());
    return null;
  },
};

export const ofFlanneld: Case = {
  async check(output, study) {
    const { stdout } = await study.node("worker").machine.exec("lsns", ["-p", "1"]);
    const [flanneld, init] = [namespacesOf(output), namespacesOf(stdout)];
    const shared = TYPES.filter((type) => flanneld.get(type) === init.get(type));
    for (const type of ["time", "user", "uts", "net"]) expect(shared).toContain(type);
    // In the study flanneld's container has these for itself.
    for (const type of ["ipc", "mnt", "pid", "cgroup"]) expect(shared).toContain(type);
    return "no container" as const;
  },
};

/** "hello_time 200" and so on: what `ip -d` says of a link. */
function details(output: string, first: string): Map<string, string> {
  const words = plain(output.slice(output.indexOf(first)).split("\n")[0]!).split(" ");
  const pairs = words
    .slice(words.indexOf(first) + 1)
    .flatMap((word, i, all) => (i % 2 === 0 ? [[word, all[i + 1]!] as const] : []));
  return new Map(pairs);
}

const BRIDGE =
  "forward_delay 1500 hello_time 200 max_age 2000 ageing_time 30000 stp_state 0 priority 32768 vlan_filtering 0 " +
  "root_port 0 root_path_cost 0 topology_change 0 topology_change_detected 0 group_fwd_mask 0 " +
  "group_address 01:80:c2:00:00:00 mcast_snooping 1 mcast_router 1 mcast_querier 0 nf_call_iptables 0 " +
  "nf_call_ip6tables 0 nf_call_arptables 0";

export const bridge: Case = {
  check(output) {
    const text = output.split("\n").map(plain);
    expect(text[0]).toMatch(new RegExp(`^\\d+: cni0: ${UP} state UP group default qlen 1000$`));
    expect(text[1]).toMatch(
      /^link\/ether \S+ brd ff:ff:ff:ff:ff:ff promiscuity 0 allmulti 0 minmtu 68 maxmtu 65535$/,
    );
    const words = BRIDGE.split(" ");
    const here = details(output, "bridge");
    for (let i = 0; i < words.length; i += 2)
      expect([words[i], here.get(words[i]!)]).toEqual([words[i], words[i + 1]]);
    // iproute2 leaves out leading zeros here: "8000.c6:89:bf:0:b6:3c".
    const mac = /ether (\S+)/.exec(text[1]!)![1]!.replace(/\b0(?=[\da-f])/g, "");
    expect([here.get("bridge_id"), here.get("designated_root")]).toEqual([`8000.${mac}`, `8000.${mac}`]);
    expect(text.slice(3, 5)).toEqual(["inet 10.244.2.1/24 brd 10.244.2.255 scope global cni0", FOREVER]);
    expect(text[5]).toMatch(/^inet6 fe80::\S+\/64 scope link(?: proto kernel_ll)?$/);
    return null;
  },
};

/** The one line of `ip -d` that says what kind of device it is, in words that matter. */
export const vtep: Case = {
  async check(output, study) {
    const text = output.split("\n").map(plain);
    expect(text[0]).toMatch(new RegExp(`^\\d+: flannel.1: ${UP} state UNKNOWN group default qlen 1000$`));
    const { mac } = (await study.node("worker").status()).device;
    expect(text[1]).toMatch(new RegExp(`^link/ether ${mac} brd ff:ff:ff:ff:ff:ff .*minmtu 68 maxmtu \\d+$`));
    // "vxlan id 1 local 172.19.0.2 dev eth0 … dstport 8472 nolearning" is what the study has here.
    expect(text[2]).toMatch(/^tun type tap .*vnet_hdr on multi_queue .*persist on/);
    const { stdout } = await study.node("worker").machine.exec(`${BIN}/poplin`, ["status", "-j"]);
    const { device, underlay } = JSON.parse(stdout);
    expect([device.vni, underlay.local, underlay.port]).toEqual([1, "172.19.0.2", 8472]);
    expect(text.slice(3, 5)).toEqual(["inet 10.244.1.0/32 scope global flannel.1", FOREVER]);
    expect(text[5]).toMatch(/^inet6 fe80::\S+\/64 scope link(?: proto kernel_ll)?$/);
    return "a TAP" as const;
  },
};

export const forwardingTable: Case = {
  async check(output, study) {
    // The kernel has its own multicast addresses there, and nothing of other nodes.
    expect(output).not.toContain("dst ");
    const { stdout } = await study.node("worker2").machine.exec(`${BIN}/poplin`, ["fdb", "show"]);
    const rows = stdout
      .trim()
      .split("\n")
      .map((row) => row.split(" lease ")[0]!);
    const expected = await Promise.all(
      ["control-plane", "worker"].map(async (name) => {
        const node = study.node(name);
        return `${(await node.status()).device.mac} dst ${node.plan.address} self permanent`;
      }),
    );
    expect(rows.sort()).toEqual(expected.sort());
    return "rows in poplin" as const;
  },
};
