/**
 * What is around the nodes: their network, with the gateway that docker's has, and a host behind it for the world.
 *
 *   nodes ── [ br0 172.19.0.1 in the host "switch", forwarding ] ── [ "world" 8.8.8.8 ]
 */
import type { Lab } from "../lab.ts";
import { type Network, switchNetwork } from "../network.ts";
import { UNDERLAY } from "../plan.ts";
import { WORLD } from "./plan.ts";

/** Of the cable between gateway and world: addresses for documentation (RFC 5737), which nothing else has. */
const LINK = { gateway: "192.0.2.1", world: "192.0.2.2" } as const;

export function studyNetwork(lab: Lab): Network {
  const network = switchNetwork(lab);
  const gateway = network.middle;
  const world = lab.addHost("world");
  gateway.forwarding();
  lab.cable({ host: gateway, name: "world" }, { host: world, name: "eth0" });
  gateway.ip(
    `addr add ${UNDERLAY.gateway}/${UNDERLAY.prefix} dev br0`,
    `addr add ${LINK.gateway}/30 dev world`,
    `route add ${WORLD}/32 via ${LINK.world}`,
  );
  // It knows the way to the nodes and no other: an answer to a pod that was not masqueraded would be lost, as outside.
  world.ip(
    `addr add ${WORLD}/32 dev lo`,
    `addr add ${LINK.world}/30 dev eth0`,
    `route add ${UNDERLAY.network} via ${LINK.gateway}`,
  );
  return network;
}
