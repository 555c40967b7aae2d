/**
 * Two hosts that a tunnel will join, and nothing else on them:
 *
 *   NAME-a: eth0 172.19.0.2 ──── veth, MTU 1500 ──── eth0 172.19.0.3 :NAME-b
 *           overlay 10.244.1.0                       overlay 10.244.2.0
 *
 * All beds of a run are up at the same time, in one lab, so that runs can alternate between them; who is not being
 * measured sleeps. What makes the tunnel is a file beside this one: it exports `start(bed, spec)`, which resolves when
 * packets can pass, with what only it knows:
 *
 *   agents    pids of its processes, one list per host; none where the kernel does the work
 *   about     what it is: version, settings, offloads in use (asked for after the measurements)
 */
import { ifIpv6, planNode, UNDERLAY } from "../../dist/lab/plan.js";
import { Traffic } from "../traffic/client.mjs";

/** Milliseconds in which the first packet has to get through. */
const FIRST_PACKET = 10_000;

export class Bed {
  /** As results call it: "kernel", "poplin". */
  name;
  lab;
  a;
  b;
  planA = planNode("a", 0);
  planB = planNode("b", 1);
  /** Pids by host. */
  agents = { a: [], b: [] };
  about = async () => ({});
  #traffic = new Map();

  constructor(lab, name) {
    this.name = name;
    this.lab = lab;
    this.a = lab.addHost(`${name}-a`);
    this.b = lab.addHost(`${name}-b`);
    lab.cable({ host: this.a, name: "eth0" }, { host: this.b, name: "eth0" }, 1500);
  }

  /** Both hosts with their plans, "a" first. */
  get sides() {
    return [
      { side: "a", host: this.a, plan: this.planA, peer: this.planB },
      { side: "b", host: this.b, plan: this.planB, peer: this.planA },
    ];
  }

  /** Gives eth0 its addresses; some tunnels want them elsewhere. */
  addresses(device = "eth0") {
    for (const { host, plan } of this.sides) {
      host.ip(
        `addr add ${plan.address}/${UNDERLAY.prefix} dev ${device}`,
        ...ifIpv6(`addr add ${plan.address6}/${UNDERLAY.prefix6} dev ${device} nodad`),
      );
    }
  }

  /** For a layer 3 tunnel: the overlay addresses on its device, each with a route to the other. */
  routes(device, mtu) {
    for (const { host, plan, peer } of this.sides) {
      host.ip(
        `link set ${device} mtu ${mtu} up`,
        `addr add ${plan.overlay}/32 dev ${device}`,
        `route add ${peer.subnet} dev ${device}`,
      );
    }
  }

  async start(start, spec) {
    const { agents, about } = await start(this, spec);
    this.agents = agents ?? { a: [], b: [] };
    this.about = about ?? this.about;
    await this.#passes();
  }

  async #passes() {
    const deadline = Date.now() + FIRST_PACKET;
    for (;;) {
      const ping = ["-n", "-c", "1", "-W", "0.3", "-I", this.planA.overlay, this.planB.overlay];
      const { status, stdout } = await this.a.exec("ping", ping, { check: false });
      if (status === 0) return;
      if (Date.now() > deadline)
        throw new Error(`no packet got through within ${FIRST_PACKET / 1000} s\n${stdout}`);
    }
  }

  /** Address of the far end in the overlay. */
  target(family = 4) {
    return family === 4 ? this.planB.overlay : this.planB.overlay6;
  }

  /** The traffic helper of a host, started when it is first wanted. */
  traffic(side) {
    if (!this.#traffic.has(side)) this.#traffic.set(side, new Traffic(this[side]));
    return this.#traffic.get(side);
  }

  get pids() {
    return [...this.agents.a, ...this.agents.b];
  }
}
