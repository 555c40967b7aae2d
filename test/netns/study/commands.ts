/**
 * Everything that the study types, in its order, with the line of its text where it does. What looks at the network from a
 * node or a pod says where (`on`), and has a case of the same line in `cases`; the rest says why it has none.
 */

export type Where = "control-plane" | "worker" | "worker2" | "pod-1";

export interface Command {
  readonly line: number;
  readonly typed: string;
  /** Where it is run here, and how; none: `not` says why. */
  readonly at: readonly Where[];
  readonly run: string;
  readonly not: string | null;
}

const MAKES = "makes the cluster: `poplin lab up`";
const INSTALLS = "installs or builds what is installed here";
const ENTERS = "enters or leaves a node or a pod: `poplin lab shell`";
const KUBERNETES = "asks Kubernetes, which the lab has not";
const COPIES = "copies a plugin into a node: all are there";

function on(line: number, at: Where | readonly Where[], typed: string, run = typed): Command {
  return { line, typed, at: typeof at === "string" ? [at] : at, run, not: null };
}

function not(line: number, why: string, typed: string): Command {
  return { line, typed, at: [], run: "", not: why };
}

const ALL = ["control-plane", "worker", "worker2"] as const;
const EACH = "for i in myk8s-control-plane myk8s-worker myk8s-worker2; do";
const PACKAGES = "apt update && apt install tree jq psmisc lsof wget bridge-utils tcpdump iputils-ping";

function exec(line: number, at: Where, run: string): Command {
  return on(line, at, `docker exec -it myk8s-${at} ${run}`, run);
}

export const COMMANDS: readonly Command[] = [
  not(94, MAKES, "cat <<EOF> kind-cni.yaml"),
  not(134, MAKES, "kind create cluster --config kind-cni.yaml --name myk8s --image kindest/node:v1.30.4"),
  exec(136, "control-plane", "ip -br -c -4 addr"),
  exec(139, "worker", "ip -br -c -4 addr"),
  exec(142, "worker2", "ip -br -c -4 addr"),
  not(146, INSTALLS, `docker exec -it myk8s-control-plane sh -c '${PACKAGES} htop git nano -y'`),
  not(147, INSTALLS, `docker exec -it myk8s-worker sh -c '${PACKAGES} -y'`),
  not(148, INSTALLS, `docker exec -it myk8s-worker2 sh -c '${PACKAGES} -y'`),
  not(149, ENTERS, "docker exec -it myk8s-control-plane bash"),
  not(151, INSTALLS, "apt install golang -y"),
  not(152, INSTALLS, "git clone https://github.com/containernetworking/plugins"),
  not(153, INSTALLS, "cd plugins"),
  not(154, INSTALLS, "chmod +x build_linux.sh"),
  not(156, INSTALLS, "./build_linux.sh"),
  not(177, INSTALLS, "ls -l bin"),
  not(198, ENTERS, "exit"),
  not(202, COPIES, "docker cp -a myk8s-control-plane:/plugins/bin/bridge ."),
  not(205, COPIES, "ls -l bridge"),
  not(207, KUBERNETES, "watch -d kubectl get pod -A -owide"),
  not(
    209,
    MAKES,
    "kubectl apply -f https://raw.githubusercontent.com/flannel-io/flannel/master/Documentation/kube-flannel.yml",
  ),
  not(217, KUBERNETES, "kubectl get ns --show-labels"),
  not(225, KUBERNETES, "kubectl get ds,pod,cm -n kube-flannel"),
  not(238, KUBERNETES, "kubectl describe cm -n kube-flannel kube-flannel-cfg"),
  not(286, KUBERNETES, "kubectl describe ds -n kube-flannel kube-flannel-ds"),
  not(
    382,
    KUBERNETES,
    "kubectl exec -it ds/kube-flannel-ds -n kube-flannel -c kube-flannel -- ls -l /etc/kube-flannel",
  ),
  not(388, KUBERNETES, "kubectl get pod -A -owide"),
  not(404, KUBERNETES, "kubectl describe pod -n kube-system -l k8s-app=kube-dns"),
  not(413, COPIES, "docker cp bridge myk8s-control-plane:/opt/cni/bin/bridge"),
  not(414, COPIES, "docker cp bridge myk8s-worker:/opt/cni/bin/bridge"),
  not(415, COPIES, "docker cp bridge myk8s-worker2:/opt/cni/bin/bridge"),
  not(417, COPIES, "docker exec -it myk8s-control-plane chmod 755 /opt/cni/bin/bridge"),
  not(418, COPIES, "docker exec -it myk8s-worker chmod 755 /opt/cni/bin/bridge"),
  not(419, COPIES, "docker exec -it myk8s-worker2 chmod 755 /opt/cni/bin/bridge"),
  exec(422, "control-plane", "ls -l /opt/cni/bin/"),
  exec(431, "worker", "ls -l /opt/cni/bin/"),
  exec(440, "worker2", "ls -l /opt/cni/bin/"),
  on(
    449,
    ALL,
    `${EACH} echo ">> node $i <<"; docker exec -it $i ls /opt/cni/bin/; echo; done`,
    "ls /opt/cni/bin/",
  ),
  not(460, KUBERNETES, "kubectl get pod -A -owide"),
  not(461, KUBERNETES, "kubectl get pod -A -owide"),
  not(479, KUBERNETES, "kubectl describe cm -n kube-flannel kube-flannel-cfg"),
  on(
    526,
    "control-plane",
    'for i in filter nat mangle raw ; do echo ">> IPTables Type : $i <<"; docker exec -it myk8s-control-plane iptables -t $i -S ; echo; done',
    'for i in filter nat mangle raw ; do echo ">> IPTables Type : $i <<"; iptables -t $i -S ; echo; done',
  ),
  on(
    656,
    ALL,
    `${EACH} echo ">> node $i <<"; docker exec -it $i cat /run/flannel/subnet.env ; echo; done`,
    "cat /run/flannel/subnet.env",
  ),
  not(677, KUBERNETES, "kubectl get nodes -o jsonpath='{.items[*].spec.podCIDR}' ;echo"),
  not(682, KUBERNETES, "kubectl describe node | grep -A3 Annotations"),
  not(707, ENTERS, "docker exec -it myk8s-worker        bash"),
  on(708, "worker", "lsns -p 1"),
  on(719, "worker", "lsns -p $(pgrep flanneld)"),
  not(730, KUBERNETES, "lsns -p $(pgrep kube-proxy)"),
  on(742, "worker", "ip -c link | grep -E 'flannel|cni|veth' -A1"),
  on(746, "worker", "ip -c -d addr show cni0"),
  not(750, ENTERS, "docker exec -it myk8s-worker2 bash"),
  on(751, "worker2", "ip -c -d addr show cni0"),
  on(760, "worker", "ip -c -d addr show flannel.1"),
  on(769, "worker2", "brctl show"),
  on(776, "worker2", "ip -c route"),
  on(784, "worker2", "ip -c neigh show dev flannel.1"),
  on(789, "worker2", "bridge fdb show dev flannel.1"),
  on(794, "worker2", "ping -c 1 10.244.0.0"),
  on(795, "worker2", "ping -c 1 10.244.1.0"),
  on(796, "worker2", "ping -c 1 10.244.2.0"),
  on(818, "worker2", "iptables -t filter -S | grep 10.244.0.0"),
  on(825, "worker2", "iptables -t nat -S | grep 'flanneld masq' | grep -v '! -s'"),
  not(851, MAKES, "cat <<EOF | kubectl create -f -"),
  not(884, KUBERNETES, "kubectl get pod -o wide"),
  not(889, ENTERS, "docker exec -it myk8s-worker bash"),
  not(890, ENTERS, "docker exec -it myk8s-worker2 bash"),
  on(892, "worker2", "ip link | egrep 'cni|veth' ;echo; brctl show cni0"),
  not(934, ENTERS, "kubectl exec -it pod-1 -- zsh^C"),
  not(935, ENTERS, "exit"),
  not(936, ENTERS, "exit"),
  not(937, ENTERS, "kubectl exec -it pod-1 -- zsh"),
  on(950, "pod-1", "ip -c addr show eth0"),
  on(959, "pod-1", "ip -c route"),
  on(964, "pod-1", "route -n"),
  on(971, "pod-1", "ping -c 1 10.244.1.1 <GW IP>", "ping -c 1 10.244.1.1"),
  on(979, "pod-1", "ping -c 1"),
  on(982, "pod-1", "ping -c 1 10.244.2.5 <pod-2 IP>", "ping -c 1 10.244.2.5"),
  on(990, "pod-1", "ping -c 8.8.8.8"),
  on(993, "pod-1", "ping -c 8.8.8.8"),
  not(996, "asks a server of the internet's for the weather", "curl -s wttr.in/Seoul"),
  on(1038, "pod-1", "ip -c neigh"),
  not(1084, ENTERS, "docker exec -it myk8s-worker bash"),
  not(1085, ENTERS, "docker exec -it myk8s-worker2 bash"),
  on(1088, "worker", "tcpdump -i cni0 -nn icmp"),
  on(1089, "worker", "tcpdump -i flannel.1 -nn icmp"),
  on(1090, "worker", "tcpdump -i eth0 -nn icmp"),
  on(1091, "worker", "tcpdump -i eth0 -nn udp port 8472 -w /root/vxlan.pcap"),
  on(1094, "worker", "conntrack -L | grep -i icmp"),
  not(
    1097,
    "takes the capture out of the node: `lab shell worker -- cat /root/vxlan.pcap`",
    "docker cp myk8s-worker:/root/vxlan.pcap .",
  ),
  not(1098, "is a program with windows: tshark reads the file here, at 1091", "wireshark vxlan.pcap"),
  not(1099, "is 1088 again", "tcpdump -i cni0 -nn icmp"),
  not(1100, "is 1089 again", "tcpdump -i flannel.1 -nn icmp"),
  not(1101, "is 1090 again, with a cross for what is not seen", "tcpdump -i eth0 -nn icmp X"),
  not(1104, "is 1091 again", "tcpdump -i eth0 -nn udp port 8472 -w /root/vxlan.pcap"),
];
