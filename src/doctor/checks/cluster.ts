/** Pods' side of a node, and what a node of a flannel cluster has beside its overlay. */
import type { Check, Fault } from "../check.ts";
import type { ClusterEvidence, NodeEvidence } from "../evidence.ts";

type OfCluster = Omit<Check, "group" | "judge"> & {
  readonly judge: (cluster: ClusterEvidence, node: NodeEvidence) => readonly Fault[];
};

function check({ judge, ...rest }: OfCluster): Check {
  return {
    ...rest,
    group: "cluster",
    judge: ({ node }) => (node?.cluster ? judge(node.cluster, node) : null),
  };
}

/** What fits all overlays: that over IPv6 is smaller by 20. */
function overlayMtu({ overlays }: NodeEvidence): number {
  return Math.min(...overlays.map(({ status: { device } }) => device.mtu));
}

function devicesOf({ overlays }: NodeEvidence): string {
  return overlays.map(({ status: { device } }) => device.name).join(", ");
}

export const PODS: readonly Check[] = [
  {
    code: "bridge-mtu",
    group: "pods",
    severity: "error",
    about: "the pods' bridge has the overlay's MTU",
    why: "larger: pods send what does not fit, and what may not be fragmented is lost; smaller: throughput is",
    cure: "`ip link set cni0 mtu N`, and pods anew: their own interfaces keep what they were made with",
    judge: ({ node }) => {
      if (node === null) return null;
      const mtu = overlayMtu(node);
      // With dual stack two overlays have one bridge.
      const bridges = new Map(
        node.overlays.flatMap(({ pods }) => (pods === null ? [] : [[pods.bridge, pods]])),
      );
      return [...bridges.values()]
        .filter((pods) => pods.mtu !== mtu)
        .map((pods) => ({
          seen: `${pods.bridge} has an MTU of ${pods.mtu}, ${devicesOf(node)} of ${mtu}`,
          proof: `\`ip link show ${pods.bridge}\``,
          remedy: `ip link set ${pods.bridge} mtu ${mtu}, and make the pods anew`,
          severity: pods.mtu > mtu ? "error" : "warning",
        }));
    },
  },
];

export const CLUSTER: readonly Check[] = [
  check({
    code: "subnet-env-stale",
    severity: "error",
    about: "subnet.env says what the node has",
    why: "pods are set up from it: they would get addresses that nobody sends here, or another MTU",
    cure: "`poplin flanneld` writes it again within seconds; where it does not, its log says why. See who else writes it",
    judge: ({ file, subnetFile }, node) => {
      const remedy = "the log of poplin flanneld says why it is not written again";
      if (file.code !== "")
        return [{ seen: file.message, proof: "it was read twice, six seconds apart", remedy }];
      const { cluster } = node.status;
      const mtu = overlayMtu(node);
      const subnets = [file.ipv4?.subnet, file.ipv6?.subnet].filter((text) => text !== undefined);
      const strange = subnets.filter((text) => !cluster!.subnets.some((own) => sameNetwork(own, text)));
      const wrong = [
        ...strange.map((text) => `says ${text}, the lease has ${cluster!.subnets.join(", ")}`),
        ...(subnets.length === 0 ? ["names no subnet"] : []),
        ...(file.mtu === null || file.mtu === mtu
          ? []
          : [`says FLANNEL_MTU=${file.mtu}, ${devicesOf(node)} has ${mtu}`]),
      ];
      return wrong.map((what) => ({
        seen: `${subnetFile} ${what}`,
        proof: "read twice, six seconds apart, and compared with the agent's own lease and device",
        remedy,
      }));
    },
  }),
  check({
    code: "lease-bad",
    severity: "warning",
    about: "every lease of the store makes a peer",
    why: "two nodes with one VTEP MAC, or with parts of one subnet, cannot both be reached",
    cure: "`poplin lease list` says which lease stands in the way; give that node another subnet or MAC",
    judge: ({ bad }) =>
      bad.map(({ key, own, problem }) => ({
        seen: `${own ? "our own lease" : "the lease"} ${key}: ${problem}`,
        proof: "the store's text, against all other leases (`poplin lease list`)",
        remedy: "poplin lease list",
        severity: own ? "error" : "warning",
      })),
  }),
  check({
    code: "flanneld-running",
    severity: "error",
    about: "no other flanneld runs here",
    why: "two would take device, port, rules and subnet.env from each other",
    cure: "stop it: remove its DaemonSet or service",
    judge: ({ flannelds }) =>
      flannelds.map(({ pid }) => ({
        seen: `flanneld (pid ${pid}) runs in this network namespace, too`,
        proof: `/proc/${pid}/comm and /proc/${pid}/ns/net`,
        remedy: `stop pid ${pid}: its service, or its DaemonSet`,
      })),
  }),
  check({
    code: "store-trouble",
    severity: "warning",
    about: "the store is heard",
    why: "leases that are known stay in force, news of nodes does not come; a lease not renewed for a day is lost",
    cure: "see to the store: its address, its certificates, its quota",
    judge: (_, { status: { cluster } }) =>
      cluster!.trouble === null
        ? []
        : [
            {
              seen: `${cluster!.store}: ${cluster!.trouble}`,
              proof: "the agent's connection to it",
              remedy: "see that it runs and can be reached from here",
            },
          ],
  }),
  check({
    code: "rules-missing",
    severity: "error",
    about: "flannel's firewall rules are in place",
    why: "pods are not masqueraded, or not forwarded",
    cure: "what the agent says of them; another program may hold the lock of iptables",
    judge: (_, { status: { cluster } }) =>
      cluster!.firewall.trouble === null
        ? []
        : [
            {
              seen: cluster!.firewall.trouble,
              proof: `the agent sets them with ${cluster!.firewall.kind} again and again`,
              remedy: "fuser -v /run/xtables.lock; iptables-save | grep FLANNEL",
            },
          ],
  }),
  check({
    code: "cni-conf-missing",
    severity: "warning",
    about: "the container runtime is told of flannel",
    why: "it sets up pods by the first file of its folder; without one of flannel's they get no address of this node",
    cure: "put flannel's 10-flannel.conflist there, or have `poplin flanneld` write one: `--write-cni-conf`",
    judge: ({ cni }) =>
      cni === null || cni.flannel
        ? []
        : [
            {
              seen: `${cni.folder} has ${cni.files.length === 0 ? "no configuration" : `only ${cni.files.join(", ")}`}`,
              proof: 'no file there has a plugin of the type "flannel", or is of --write-cni-conf',
              remedy: `put flannel's 10-flannel.conflist into ${cni.folder}, or give flanneld --write-cni-conf`,
            },
          ],
  }),
];

/** "10.244.1.0/24" and the gateway's "10.244.1.1/24". */
function sameNetwork(subnet: string, gateway: string): boolean {
  const [first = "", length] = subnet.split("/");
  const [address = "", other] = gateway.split("/");
  const least = (text: string) => text.replace(/[.:][^.:]*$/, "");
  return length === other && least(first) === least(address);
}
