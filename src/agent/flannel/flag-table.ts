/** flanneld's flags: its own of main.go (v0.28), those of klog that it takes, and three of poplin's. */

/** Every flag, by its name. */
export interface FlanneldFlags {
  readonly "etcd-endpoints": string;
  readonly "etcd-prefix": string;
  readonly "etcd-keyfile": string;
  readonly "etcd-certfile": string;
  readonly "etcd-cafile": string;
  readonly "etcd-username": string;
  readonly "etcd-password": string;
  readonly iface: readonly string[];
  readonly "iface-regex": readonly string[];
  readonly "iface-can-reach": string;
  readonly "subnet-file": string;
  readonly "public-ip": string;
  readonly "public-ipv6": string;
  readonly "subnet-lease-renew-margin": number;
  readonly "ip-masq": boolean;
  readonly "ip-masq-fully-random-disable": boolean;
  readonly "kube-subnet-mgr": boolean;
  readonly "kube-api-url": string;
  readonly "kube-annotation-prefix": string;
  readonly "kubeconfig-file": string;
  readonly version: boolean;
  readonly "healthz-ip": string;
  readonly "healthz-port": number;
  readonly "iptables-resync": number;
  readonly "iptables-forward-rules": boolean;
  readonly "ip-blackhole-route": boolean;
  readonly "net-config-path": string;
  readonly "set-node-network-unavailable": boolean;
  readonly v: number;
  readonly vmodule: string;
  readonly log_backtrace_at: string;
  readonly "lease-dir": string;
  readonly "write-cni-conf": string;
  readonly config: string;
}

export type FlanneldFlag = keyof FlanneldFlags;

/** What is known of a flag. A list is given by giving the flag again. */
export interface FlagRow<T> {
  readonly fallback: T;
  readonly about: string;
  /** What its value is, for help. Flags that are true or false have none. */
  readonly value?: string;
  /** For numbers: least and most. */
  readonly range?: readonly [number, number];
  /** For files: what their names have to end in, and why. */
  readonly ends?: readonly [string, string];
}

/** In the order of help; names, defaults and limits as flanneld has them. */
export const FLANNELD_FLAGS: { readonly [F in FlanneldFlag]: FlagRow<FlanneldFlags[F]> } = {
  "etcd-endpoints": {
    fallback: "http://127.0.0.1:4001,http://127.0.0.1:2379",
    value: "URL,…",
    about: "etcd's addresses",
  },
  "etcd-prefix": { fallback: "/coreos.com/network", value: "KEY", about: "what etcd's keys begin with" },
  "etcd-keyfile": { fallback: "", value: "FILE", about: "key of our certificate for etcd" },
  "etcd-certfile": { fallback: "", value: "FILE", about: "our certificate for etcd" },
  "etcd-cafile": { fallback: "", value: "FILE", about: "who has signed etcd's certificate" },
  "etcd-username": { fallback: "", value: "NAME", about: "user of etcd" },
  "etcd-password": { fallback: "", value: "TEXT", about: "password of that user" },
  iface: {
    fallback: [],
    value: "IP|NAME",
    about: "interface for traffic between nodes; may be repeated: the first that there is counts",
  },
  "iface-regex": {
    fallback: [],
    value: "PATTERN",
    about: "the same by a pattern of its IPs, else of its name; tried after --iface; may be repeated",
  },
  "iface-can-reach": { fallback: "", value: "IP", about: "the same by the way to this address; tried last" },
  "subnet-file": {
    fallback: "/run/flannel/subnet.env",
    value: "FILE",
    about: "where to write this node's subnet",
  },
  "public-ip": {
    fallback: "",
    value: "IP",
    about: "IPv4 address under which other nodes reach this one; left out: the interface's",
  },
  "public-ipv6": { fallback: "", value: "IP", about: "the same of IPv6" },
  "subnet-lease-renew-margin": {
    fallback: 60,
    value: "MINUTES",
    about: "how long before its end the lease is renewed, 1 to 1439",
    range: [1, 1439],
  },
  "ip-masq": { fallback: false, about: "masquerade what leaves the network of pods" },
  "ip-masq-fully-random-disable": { fallback: false, about: "masquerade without random source ports" },
  "kube-subnet-mgr": { fallback: false, about: "leases are Kubernetes nodes, not keys of etcd" },
  "kube-api-url": {
    fallback: "",
    value: "URL",
    about: "the API server, where neither a pod's account nor a kubeconfig says",
  },
  "kube-annotation-prefix": {
    fallback: "flannel.alpha.coreos.com",
    value: "NAME",
    about: "what the names of annotations begin with",
  },
  "kubeconfig-file": {
    fallback: "",
    value: "FILE",
    about: "kubeconfig; left out: the pod's service account",
  },
  version: { fallback: false, about: "print the version" },
  "healthz-ip": { fallback: "0.0.0.0", value: "IP", about: "address of the health server" },
  "healthz-port": {
    fallback: 0,
    value: "PORT",
    about: "port of the health server; 0: none",
    range: [0, 65_535],
  },
  "iptables-resync": {
    fallback: 5,
    value: "SECONDS",
    about: "how often the firewall is looked at",
    range: [1, 86_400],
  },
  "iptables-forward-rules": { fallback: true, about: "accept pods' packets in FORWARD" },
  "ip-blackhole-route": {
    fallback: false,
    about: "a blackhole route for the pods of this node that do not exist",
  },
  "net-config-path": {
    fallback: "/etc/kube-flannel/net-conf.json",
    value: "FILE",
    about: "network configuration, with --kube-subnet-mgr",
  },
  "set-node-network-unavailable": {
    fallback: true,
    about: "set the node's condition NetworkUnavailable to false",
  },
  v: {
    fallback: 0,
    value: "LEVEL",
    about: "how much is logged: 1 and above is debug",
    range: [-(2 ** 31), 2 ** 31 - 1],
  },
  vmodule: { fallback: "", value: "TEXT", about: "taken and ignored: poplin's log has one level for all" },
  log_backtrace_at: { fallback: "", value: "TEXT", about: "taken and ignored" },
  "lease-dir": {
    fallback: "",
    value: "DIR",
    about: "poplin's own: leases are files in this directory, which all nodes see; no etcd is needed then",
  },
  "write-cni-conf": {
    fallback: "",
    value: "FILE",
    about:
      "poplin's own: write a network configuration, FILE, by which container runtimes set up pods without the plugin `flannel`",
    ends: [".conflist", "container runtimes read no list of plugins from a file of another name"],
  },
  config: {
    fallback: "",
    value: "FILE",
    about: "poplin's own: a file with settings of the dataplane, such as senderCheck or queues",
  },
};

/**
 * Flags that somebody may know from elsewhere, and why they are none: of other programs that log by klog, of older
 * flannelds, and of poplin's other commands.
 */
export const FOREIGN_FLAGS: ReadonlyMap<string, string> = new Map([
  ...["logtostderr", "alsologtostderr", "stderrthreshold", "log_dir", "log_file", "log_file_max_size"].map(
    (name) =>
      [name, "flanneld logs to standard error alone, and takes no flag for it: leave it out"] as const,
  ),
  ...["listen", "remote", "remote-keyfile", "remote-certfile", "remote-cafile", "networks", "subnet-dir"].map(
    (name) =>
      [
        name,
        "flannel has given it up: give a daemon per network, with --etcd-prefix and --subnet-file",
      ] as const,
  ),
  ["socket", "it is a setting of poplin's own: set POPLIN_SOCKET in the environment"],
  ["use-multi-cluster-cidr", "flannel and Kubernetes have given it up: leave it out"],
  ["windows-service", "it is for Windows, and poplin runs on Linux: run flanneld on Windows nodes"],
]);
