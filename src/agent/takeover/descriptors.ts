/** What is open for an underlay: described by the old agent, and opened of the description by the new one. */
import { loadShim, type UdpSocket } from "../../io/linux/shim.ts";
import type { AgentConfig } from "../config/load.ts";
import type { Forwarding } from "../forwarding.ts";
import { adoptHairpin } from "../hairpin.ts";
import type { Given, Ground } from "../open.ts";
import { socketOptions } from "../underlay.ts";
import type { GivenSocket, GivenUnderlay } from "./protocol.ts";
import { describeTables } from "./tables.ts";

/** @param place puts a descriptor on the list that goes along, and says where on it */
export async function describeUnderlay(
  forwarding: Forwarding,
  place: (fd: number) => number,
): Promise<GivenUnderlay> {
  const { overlays, underlay } = forwarding.running;
  const { sockets, senders, dfSenders, hairpin } = underlay.sockets!;
  const given = ({ fd, port, receiveBuffer, sendBuffer, gro }: UdpSocket): GivenSocket => {
    return { fd: place(fd), port, receiveBuffer, sendBuffer, gro };
  };
  return {
    devices: overlays.map(({ device: { taps, mac, droppedBefore } }) => {
      return { queues: taps.map(({ fd }) => place(fd)), mac, droppedBefore };
    }),
    sockets: sockets.map(given),
    senders: senders.map(given),
    dfSenders: dfSenders.map(given),
    hairpin: hairpin === null ? null : place(hairpin.options.fd),
    tables: await describeTables(forwarding),
  };
}

/** What `open` takes over, and a way to close it where it never does. */
export interface Gift extends Given {
  close(): void;
}

/** @param descriptors the list that came along */
export function giftOf(
  config: AgentConfig,
  ground: Ground,
  given: GivenUnderlay,
  descriptors: readonly number[],
): Gift {
  const at = (place: number): number => descriptors[place]!;
  const socket = (one: GivenSocket): UdpSocket => ({ ...one, fd: at(one.fd), warnings: [] });
  const options = socketOptions(config, ground.uplink.address, ground.offloads["udp-gro"] === null);
  const sockets = given.sockets.map(socket);
  const senders = given.senders.map(socket);
  const dfSenders = given.dfSenders.map(socket);
  const devices = given.devices.map(({ queues, ...device }) => ({ ...device, queues: queues.map(at) }));
  const hairpin = given.hairpin === null ? null : adoptHairpin(at(given.hairpin), options);
  const all = [
    ...devices.flatMap(({ queues }) => queues),
    ...[...sockets, ...senders, ...dfSenders].map(({ fd }) => fd),
  ];
  return {
    ground,
    devices,
    sockets: { sockets, senders, dfSenders, hairpin },
    taken: false,
    close() {
      if (this.taken) return;
      this.taken = true;
      for (const fd of all) loadShim().close(fd);
      hairpin?.close();
    },
  };
}
