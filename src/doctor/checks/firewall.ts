/** Rules of this node that drop VXLAN, or what pods send and get. */
import type { Check, Fault } from "../check.ts";
import type { Met, NodeEvidence } from "../evidence.ts";

function fault({ rule, packets, remedy, grew }: Met, what: string, proof = ""): Fault {
  const counted =
    grew !== null && grew > 0
      ? `its counter grew by ${grew} while peers were pinged`
      : packets === null
        ? "such a packet was followed through all rules"
        : `such a packet was followed through all rules; this one has met ${packets}`;
  return { seen: `${what}: ${rule}`, proof: proof === "" ? counted : `${proof}; ${counted}`, remedy };
}

/** Sends that the kernel refused, which is how a rule in OUTPUT shows. */
function refusedSends({ overlays }: NodeEvidence, port: number): string {
  const refused = overlays.some(({ peers }) => peers.some((peer) => peer.port === "EPERM"));
  return refused ? `a datagram to UDP port ${port} was refused with EPERM` : "";
}

function ofAll<T>(all: readonly T[] | undefined, judge: (one: T) => readonly Fault[]): Fault[] | null {
  return all?.flatMap(judge) ?? null;
}

export const FIREWALL: readonly Check[] = [
  {
    code: "udp-in-dropped",
    group: "firewall",
    severity: "error",
    about: "the firewall lets VXLAN in",
    why: "nothing from other nodes arrives",
    cure: "take the rule away, or accept UDP 8472 from the other nodes before it",
    judge: ({ node }) =>
      ofAll(node?.carriers, ({ incoming, carrier: { port } }) =>
        incoming === null ? [] : [fault(incoming, `UDP port ${port} is dropped on its way in`)],
      ),
  },
  {
    code: "udp-out-dropped",
    group: "firewall",
    severity: "error",
    about: "the firewall lets VXLAN out",
    why: "nothing leaves for other nodes",
    cure: "take the rule away, or accept UDP 8472 to the other nodes before it",
    judge: ({ node }) =>
      ofAll(node?.carriers, ({ outgoing, carrier: { port } }) => {
        const proof = refusedSends(node!, port);
        if (outgoing !== null) {
          return [fault(outgoing, `UDP port ${port} is dropped on its way out`, proof)];
        }
        if (proof === "") return [];
        const seen = `UDP to port ${port} may not leave, by a rule that was not found`;
        return [{ seen, proof, remedy: "nft list ruleset; iptables-save" }];
      }),
  },
  {
    code: "forward-dropped",
    group: "firewall",
    severity: "error",
    about: "the firewall passes on pods' packets",
    why: "this node itself reaches others' pods, its pods reach nobody. Docker sets the policy of FORWARD to DROP",
    cure: "accept the pods' network in FORWARD, as `poplin flanneld` does by itself (--iptables-forward-rules)",
    judge: ({ node }) =>
      ofAll(node?.overlays, ({ pods, status: { device } }) => {
        const [met] = [pods?.blockedOut, pods?.blockedIn].filter((one) => one != null);
        if (met === undefined) return [];
        return [fault(met, `packets between ${pods!.bridge} and ${device.name} are dropped`)];
      }),
  },
];
