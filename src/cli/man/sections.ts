/** What manual pages say that no option says: exit status, files, environment, examples, and where to read on. */
import { EXIT } from "../errors.ts";

/** A term, and what it means. */
export type Term = readonly [term: string, meaning: string];

export interface Sections {
  readonly files?: readonly Term[];
  readonly environment?: readonly Term[];
  readonly examples?: readonly string[];
  /** Pages: "ip(8)"; of poplin's own commands the name alone. */
  readonly seeAlso?: readonly string[];
}

/** Of every page. */
export const EXIT_STATUS: readonly Term[] = [
  [String(EXIT.ok), "All is well."],
  [String(EXIT.failed), "A check failed, or what was asked for could not be done."],
  [String(EXIT.usage), "The command line, or the configuration, is wrong."],
  [String(EXIT.notReachable), "No agent answers."],
  [String(EXIT.permission), "It is not allowed; the message says which right is missing."],
  [String(EXIT.timeout), "The agent did not answer in time."],
];

const SOCKET: Term = ["POPLIN_SOCKET", "The agent's socket, where `--socket` does not say."];
const COLOR: Term = ["NO_COLOR", "Where it is set, nothing is in colour."];
const SOCKET_FILE: Term = [
  "/run/poplin/agent.sock",
  "The agent's socket, where nobody says otherwise. Mode 0600.",
];
const TUN: Term = ["/dev/net/tun", "What the agent makes its device with."];
const SETTINGS: Term = [
  "POPLIN_*",
  "Every setting: `POPLIN_SENDER_CHECK` stands for `--sender-check`. A flag counts before it, the file after it.",
];

/** By command; "" is poplin itself. Every command asks an agent unless something else stands here. */
export const SECTIONS: Readonly<Record<string, Sections>> = {
  "": {
    files: [
      SOCKET_FILE,
      ["/etc/poplin/agent.yaml", "The configuration, as the unit of systemd names it."],
      TUN,
    ],
    environment: [SOCKET, COLOR, SETTINGS],
    examples: [
      "sudo poplin agent --config node.yaml",
      "sudo poplin status",
      "sudo poplin stats -j | jq .drops",
      "source <(poplin complete bash)",
    ],
    seeAlso: ["ip(8)", "bridge(8)", "systemd(1)"],
  },
  status: { environment: [SOCKET, COLOR], files: [SOCKET_FILE], seeAlso: ["stats", "top"] },
  stats: { environment: [SOCKET, COLOR], files: [SOCKET_FILE], seeAlso: ["top", "capture"] },
  top: {
    environment: [SOCKET, COLOR, ["TERM", "A terminal that is `dumb` gets blocks of text."]],
    files: [["/proc/PID/task", "Where the threads' CPU time is from."]],
    examples: [
      "sudo poplin top",
      "sudo poplin top -j -n 60 > minute.ndjson",
      "sudo poplin top --once dev flannel.1",
    ],
    seeAlso: ["stats", "status", "top(1)"],
  },
  fdb: { environment: [SOCKET, COLOR], seeAlso: ["neigh", "bridge(8)"] },
  neigh: { environment: [SOCKET, COLOR], seeAlso: ["fdb", "events", "ip-neighbour(8)"] },
  lease: { environment: [SOCKET, COLOR], seeAlso: ["flanneld"] },
  reconcile: {
    environment: [SOCKET],
    examples: ["sudo poplin reconcile --dry-run"],
    seeAlso: ["status", "ip(8)"],
  },
  wait: {
    environment: [SOCKET],
    examples: ["sudo poplin wait --ready --timeout 30 && ping -c 1 10.244.2.5"],
    seeAlso: ["status", "agent"],
  },
  privileges: { environment: [SOCKET], seeAlso: ["agent", "capabilities(7)"] },
  doctor: {
    environment: [SOCKET, COLOR],
    examples: [
      "sudo poplin doctor",
      "sudo poplin doctor --pre --config node.yaml",
      "sudo poplin doctor -j | jq '.findings[].code'",
    ],
    seeAlso: ["ping", "monitor", "report"],
  },
  ping: {
    environment: [SOCKET, COLOR],
    examples: ["sudo poplin ping 10.0.0.7", "sudo poplin ping -c 10 --no-mtu 10.244.2.5"],
    seeAlso: ["doctor", "ping(8)", "tracepath(8)"],
  },
  "log-level": { environment: [SOCKET], examples: ["sudo poplin log-level debug"], seeAlso: ["agent"] },
  lab: {
    environment: [COLOR],
    examples: ["sudo poplin lab up", "sudo poplin lab shell worker -- ip route", "sudo poplin lab down"],
    seeAlso: ["demo", "flanneld", "ip-netns(8)"],
  },
  events: { environment: [SOCKET], seeAlso: ["monitor", "neigh", "fdb"] },
  monitor: { environment: [SOCKET, COLOR], seeAlso: ["stats", "capture", "events", "doctor"] },
  watch: {
    environment: [SOCKET, COLOR],
    examples: ["poplin watch --drops", "poplin watch -w overlay.pcapng"],
    seeAlso: ["monitor", "capture", "explain"],
  },
  report: {
    environment: [SOCKET],
    examples: ["sudo poplin report --anonymize", "tar -xOf poplin-report-*.tar.gz --wildcards '*/index.md'"],
    seeAlso: ["status", "config"],
  },
  explain: {
    environment: [COLOR],
    examples: [
      "poplin explain --example ping",
      "poplin explain --example ping --level short --set flags.i=0",
      "sudo poplin capture -c 1 -w - | poplin explain -",
    ],
    seeAlso: ["capture", "tshark(1)"],
  },
  whatif: {
    environment: [COLOR],
    files: [TUN],
    examples: ["sudo poplin whatif vni=2", "poplin whatif --predict flags.i=0"],
    seeAlso: ["explain", "stats"],
  },
  walk: { environment: [COLOR], files: [TUN], examples: ["sudo poplin walk"], seeAlso: ["explain", "lab"] },
  learn: {
    environment: [COLOR],
    files: [["~/poplin-learn", "The learner's files, and which lessons are done."], TUN],
    examples: ["poplin learn", "sudo poplin learn 3", "poplin learn 3 --reset"],
    seeAlso: ["explain", "lab", "whatif"],
  },
  capture: { environment: [SOCKET, COLOR], seeAlso: ["stats", "tcpdump(8)", "pcap-filter(7)"] },
  agent: {
    environment: [SETTINGS],
    files: [SOCKET_FILE, TUN],
    examples: ["sudo poplin agent --config node.yaml", "sudo poplin config check --config node.yaml"],
    seeAlso: ["config", "vtep", "flanneld", "cleanup", "ip-link(8)"],
  },
  vtep: { environment: [SETTINGS], files: [SOCKET_FILE, TUN], seeAlso: ["agent", "ip-link(8)"] },
  flanneld: {
    environment: [
      [
        "FLANNELD_*",
        "Every flag: `FLANNELD_PUBLIC_IP` stands for `--public-ip`, where the line does not give it.",
      ],
      ["NODE_NAME", "The node's name in Kubernetes; `POD_NAME` and `POD_NAMESPACE` tell it, too."],
      ["POPLIN_*", "Settings of the dataplane that the cluster does not decide."],
    ],
    files: [
      ["/run/flannel/subnet.env", "This node's subnet, for what sets up pods."],
      ["/etc/kube-flannel/net-conf.json", "The network's configuration, with `--kube-subnet-mgr`."],
      SOCKET_FILE,
    ],
    examples: ["sudo poplin flanneld --etcd-endpoints=http://10.0.0.5:2379 --ip-masq"],
    seeAlso: ["lease", "cleanup", "agent"],
  },
  config: {
    environment: [SETTINGS],
    examples: ["poplin config check --config node.yaml", "poplin config show --config node.yaml --origin"],
    seeAlso: ["agent"],
  },
  cleanup: {
    environment: [["POPLIN_DEVICE", "The device, where neither `--device` nor `--config` says."]],
    files: [
      ["/run/flannel/subnet.env", "Says that there was a node of a flannel cluster; it is removed, too."],
    ],
    seeAlso: ["agent", "flanneld"],
  },
  complete: { seeAlso: ["bash(1)", "zsh(1)", "fish(1)"] },
  demo: { seeAlso: ["ip-netns(8)"] },
};
