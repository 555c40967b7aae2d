/** What only one node of a cluster can have: who has it, and what others are told who want it, too. */
import type { Cidr } from "../address.ts";
import { Ranges } from "../ranges.ts";
import { type Candidate, hostOf, type Ours, rangeOf } from "./candidate.ts";

const US = "this node";

export class Claims {
  /** Who has what: MACs, subnets, and public IPs as ranges of one address. */
  readonly #macs = new Map<string, string>();
  readonly #subnets = new Ranges();
  readonly #hosts = new Ranges();

  /** This node has what it has before all others. */
  constructor({ family, subnet, publicIp, local = publicIp, vtepMac }: Ours) {
    this.#macs.set(vtepMac, US);
    const range = rangeOf(subnet, family);
    if (range !== null) this.#subnets.add(range, US);
    for (const address of new Set([publicIp, local])) {
      const host = hostOf(address, family);
      if (host !== null) this.#hosts.add(host, US);
    }
  }

  /** @returns null, or why the peer cannot have what it wants; then it has nothing of it */
  claim({ key, peer, range, host }: Candidate): string | null {
    const refusal = this.#refusal(peer.vtepMac, range, host);
    if (refusal !== null) return refusal;
    this.#macs.set(peer.vtepMac, key);
    this.#subnets.add(range, key);
    if (this.#hosts.overlapping(host) === null) this.#hosts.add(host, key);
    return null;
  }

  #refusal(vtepMac: string, range: Cidr, host: Cidr): string | null {
    const mac = this.#macs.get(vtepMac);
    if (mac !== undefined) return `its VtepMAC ${vtepMac} is also that of ${mac}: was a machine copied?`;
    // Of two others both are followed: a node may have the address of one that is gone, and whose lease lingers.
    if (this.#hosts.overlapping(host)?.owner === US) {
      return `its public IP ${host.address} is this node's own: give --public-ip or --iface there, or remove the lease of a node that is gone`;
    }
    const other = this.#subnets.overlapping(range);
    if (other !== null)
      return `overlapping subnets: its ${range.text}, and ${other.range.text} of ${other.owner}`;
    // What goes to such an address would be routed to our device, and sent to the address again.
    if (contains(range, host)) return `its public IP ${host.address} is inside its own subnet ${range.text}`;
    const inside = this.#hosts.overlapping(range);
    if (inside !== null)
      return `its subnet ${range.text} holds the public IP of ${inside.owner}, ${inside.range.address}`;
    const around = this.#subnets.overlapping(host);
    if (around === null) return null;
    return `its public IP ${host.address} is inside the subnet ${around.range.text} of ${around.owner}`;
  }
}

function contains(range: Cidr, { first }: Cidr): boolean {
  return range.first <= first && first <= range.last;
}
