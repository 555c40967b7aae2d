/**
 * Nodes whose rows are kept by `control/` and `host/`, over the kernel's own VXLAN device, so that packets really go where
 * the rows send them. What the agent does with its dataplane is done here with `bridge fdb`.
 */
import { applyPlan, type Executor, type Outcome } from "../../src/control/apply.ts";
import { desiredRows } from "../../src/control/desired.ts";
import { difference, type Plan } from "../../src/control/difference.ts";
import type { Lease } from "../../src/control/lease.ts";
import type { FdbStep, FdbTarget } from "../../src/control/rows.ts";
import { applyHostSteps } from "../../src/host/apply.ts";
import { readDirectRoutes } from "../../src/host/direct.ts";
import { onLink } from "../../src/host/reach.ts";
import { readDevice } from "../../src/host/read.ts";
import type { Host } from "../../src/lab/host.ts";
import type { Lab } from "../../src/lab/lab.ts";

export type Family = 4 | 6;

export const DEVICE = "flannel.1";
export const UPLINK = "eth0";
const PORT = 8472;

/** Of all pods. */
export const NETWORK = { 4: "10.244.0.0/16", 6: "fd00:10:244::/48" } as const;

/** "10.244.2" or "fd00:10:244:2:", before the last part of an address. */
export function subnetOf(family: Family, n: number): { subnet: string; network: string; pod: string } {
  const stem = family === 4 ? `10.244.${n}.` : `fd00:10:244:${n}::`;
  const network = family === 4 ? `${stem}0` : stem;
  return { subnet: `${network}/${family === 4 ? 24 : 64}`, network, pod: `${stem}2` };
}

export class Node {
  readonly host: Host;
  readonly pod: Host;
  readonly lease: Lease;
  readonly #family: Family;
  readonly #network: string;
  readonly #executor: Executor;

  /** @param n its number, from 1, in MAC and subnet */
  constructor(lab: Lab, name: string, n: number, publicIp: string, family: Family) {
    this.host = lab.addHost(name);
    this.pod = lab.addHost(`${name}-pod`);
    this.#family = family;
    const { subnet, network, pod } = subnetOf(family, n);
    this.#network = network;
    this.lease = { publicIp, port: PORT, vtepMac: `0e:2a:00:00:00:0${n}`, subnets: [subnet] };
    lab.cable({ host: this.host, name: "cni0" }, { host: this.pod, name: UPLINK });
    const gateway = pod.replace(/2$/, "1");
    const length = subnet.split("/")[1];
    this.host.ip(`addr add ${gateway}/${length} dev cni0`);
    this.pod.ip(`addr add ${pod}/${length} dev ${UPLINK}`, `route add default via ${gateway}`);
    this.host.forwarding();
    // A peer may send through the overlay what we send directly: the strict filter (RFC 3704) would drop it.
    this.host.sysctl({ "net/ipv4/conf/all/rp_filter": 0, "net/ipv4/conf/default/rp_filter": 0 });
    this.#executor = {
      host: (steps) => applyHostSteps(DEVICE, steps, this.#options),
      fdb: (steps) => this.#changeFdb(steps),
    };
  }

  get #options(): { netns: string } {
    return { netns: this.host.namespace };
  }

  /** Makes the VXLAN device, once the uplink has its address. */
  addDevice(): void {
    const { vtepMac, publicIp } = this.lease;
    const vxlan = `type vxlan id 1 dev ${UPLINK} local ${publicIp} dstport ${PORT} nolearning`;
    this.host.ip(
      `link add ${DEVICE} address ${vtepMac} mtu 1430 ${vxlan}`,
      `link set ${DEVICE} up`,
      `addr add ${this.#network}/${this.#family === 4 ? 32 : 128} dev ${DEVICE}`,
    );
  }

  /** What has to change for these peers, those on the link of the uplink reached directly. */
  async plan(peers: readonly Lease[], options: { direct?: boolean } = {}): Promise<Plan> {
    const addresses = peers.map(({ publicIp }) => publicIp);
    const near = await onLink(options.direct === false ? [] : addresses, UPLINK, this.#options);
    const leases = peers.map((peer) => (near.has(peer.publicIp) ? { ...peer, direct: UPLINK } : peer));
    const state = (await readDevice(DEVICE, this.#options))!;
    const where = { uplink: UPLINK, networks: [NETWORK[this.#family]] };
    const direct = await readDirectRoutes(where, this.#options);
    const { neighbours, routes, link } = state;
    const actual = {
      neighbours,
      routes: [...routes, ...direct],
      addresses: link.addresses,
      fdb: await this.fdb(),
    };
    return difference(actual, desiredRows(leases, link.addresses));
  }

  async bring(peers: readonly Lease[], options: { direct?: boolean } = {}): Promise<Outcome> {
    return applyPlan(await this.plan(peers, options), this.#executor);
  }

  /** Rows of the device's forwarding table. */
  async fdb(): Promise<FdbTarget[]> {
    const { stdout } = await this.host.exec("bridge", ["-json", "fdb", "show", "dev", DEVICE]);
    const rows = JSON.parse(stdout) as { mac: string; dst?: string }[];
    return rows.flatMap(({ mac, dst }) => (dst === undefined ? [] : [{ mac, dst, port: PORT }]));
  }

  async #changeFdb(steps: readonly FdbStep[]): Promise<null[]> {
    for (const { op, mac, dst } of steps) {
      await this.host.exec("bridge", ["fdb", op, mac, "dev", DEVICE, "dst", dst, "self", "permanent"]);
    }
    return steps.map(() => null);
  }

  /** How the kernel sends to a pod: "dev eth0", "via 10.244.2.0 dev flannel.1". */
  async wayTo(address: string): Promise<string> {
    const { stdout } = await this.host.exec("ip", ["-json", "route", "get", address]);
    const [{ gateway, dev }] = JSON.parse(stdout) as [{ gateway?: string; dev: string }];
    return `${gateway === undefined ? "" : `via ${gateway} `}dev ${dev}`;
  }

  /** Permanent neighbours of the device. */
  async neighbours(): Promise<string[]> {
    return (await readDevice(DEVICE, this.#options))!.neighbours.map(({ address }) => address);
  }

  /** Packets that the VXLAN device has sent. */
  async sent(): Promise<number> {
    const { stdout } = await this.host.exec("cat", [`/sys/class/net/${DEVICE}/statistics/tx_packets`]);
    return Number(stdout);
  }
}
