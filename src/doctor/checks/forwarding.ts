/** Whether this host's kernel passes on what pods send and get. */
import type { Check } from "../check.ts";
import { ofOverlay } from "./of-overlay.ts";

export const FORWARDING: readonly Check[] = [
  ofOverlay("forwarding", {
    code: "forwarding-off",
    severity: "error",
    about: "the kernel forwards between pods and overlay",
    why: "this node itself reaches others' pods, its pods reach nobody",
    cure: "`sysctl -w net.ipv4.ip_forward=1`, and in /etc/sysctl.d, or the next boot undoes it",
    judge: ({ pods, status: { device } }) => {
      const lookup = pods?.lookups.find(({ said }) => said !== "");
      if (pods === null || lookup === undefined) return [];
      const name = pods.family === 4 ? "net.ipv4.ip_forward" : "net.ipv6.conf.all.forwarding";
      const off = pods.forwarding === "0";
      return [
        {
          seen: off
            ? `${name} = 0`
            : `the kernel does not pass on packets between ${pods.bridge} and ${device.name}`,
          proof: `\`${lookup.asked}\`: ${lookup.said}`,
          remedy: off
            ? `sysctl -w ${name}=1`
            : `see net.ipv4.conf.*.forwarding and rp_filter of ${pods.bridge} and ${device.name}, and \`ip rule\``,
        },
      ];
    },
  }),
  {
    code: "rp-filter",
    group: "forwarding",
    severity: "error",
    about: "no peer's packets are dropped for their source address",
    why: "with rp_filter = 1 the kernel drops what comes in by another interface than it would answer by",
    cure: "`sysctl -w net.ipv4.conf.DEV.rp_filter=2`, or make the route back lead through that interface",
    judge: ({ node }) => {
      if (node === null) return null;
      const { reversePathDrops: drops, overlays } = node;
      if (drops <= 0) return [];
      return overlays.flatMap(({ peers, carrier: { uplink } }) =>
        peers
          .filter(({ back, underlay }) => back !== "" && underlay.answered === 0)
          .map(({ peer: { publicIp } }) => ({
            seen: `what ${publicIp} sends by ${uplink} is dropped: the way back to it is another one`,
            proof: `IPReversePathFilter grew by ${drops} while it was pinged`,
            remedy: `sysctl -w net.ipv4.conf.${uplink}.rp_filter=2 net.ipv4.conf.all.rp_filter=2`,
          })),
      );
    },
  },
];
