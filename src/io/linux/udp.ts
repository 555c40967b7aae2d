/** Opening the UDP socket of the underlay, with errors that say who is in the way. */
import {
  AddressNotLocalError,
  isSystemCallFailure,
  PortTakenError,
  SystemCallError,
  type SystemCallFailure,
} from "./errors.ts";
import { portHolders } from "./holders.ts";
import { loadShim, type UdpSocket, type UdpSocketOptions } from "./shim.ts";

const EADDRINUSE = 98;
const EADDRNOTAVAIL = 99;

/**
 * Opens and binds a UDP socket; the caller closes its descriptor.
 * @throws PortTakenError, AddressNotLocalError, SystemCallError
 * @throws RangeError for an option outside its range, or an address of the other family
 */
export function openUdp(options: UdpSocketOptions): UdpSocket {
  try {
    return loadShim().udpOpen(options);
  } catch (error) {
    throw isSystemCallFailure(error) ? explainUdp(options, error) : error;
  }
}

/**
 * Opens several sockets on one port, among which the kernel spreads what comes, each sender's port always to the same one.
 * The first is bound alone, so that it meets whoever has the port, also somebody who would share it (SO_REUSEPORT).
 * @returns them; with one, a socket as `openUdp` opens it
 * @throws as `openUdp`, with none left open
 */
export function openUdpGroup(options: UdpSocketOptions, count: number): UdpSocket[] {
  const first = openUdp({ ...options, reusePort: false });
  const sockets = [first];
  try {
    if (count > 1) loadShim().reusePort(first.fd);
    while (sockets.length < count) sockets.push(openUdp({ ...options, port: first.port, reusePort: true }));
    return sockets;
  } catch (error) {
    for (const { fd } of sockets) loadShim().close(fd);
    throw error;
  }
}

/** Why a UDP socket could not be opened or bound, and what to do; for sockets that others opened, too. */
export function explainUdp(
  options: Pick<UdpSocketOptions, "address" | "family" | "port">,
  cause: SystemCallFailure,
): SystemCallError {
  const { address, family, port } = options;
  switch (cause.errno) {
    case EADDRINUSE:
      return portTaken(port, family, cause);
    case EADDRNOTAVAIL:
      return new AddressNotLocalError(
        `no interface of this machine has the address ${address}`,
        "choose an address that `ip address` shows, or leave it out to listen on all of them" +
          (family === 6
            ? " (an address that is still being checked for duplicates counts only after a second or two)"
            : ""),
        cause,
      );
    default:
      return new SystemCallError(`UDP port ${port} over IPv${family} could not be opened`, "", cause);
  }
}

/** Why a multicast group could not be joined, and what to do. */
export function explainGroup(group: string, device: string, cause: SystemCallFailure): SystemCallError {
  return new SystemCallError(
    `the group ${group} could not be joined on ${device}`,
    "the interface must be up and able to multicast (`ip link show` says MULTICAST)",
    cause,
  );
}

/**
 * Looks whether a port is free for a socket of this family but for one kernel VXLAN device, which is about to go.
 * @throws PortTakenError
 */
export function checkPort(port: number, family: 4 | 6, ours: readonly string[]): void {
  const { devices, processes } = portHolders(port, family);
  if (processes.length === 0 && devices.every((name) => ours.includes(name))) return;
  throw portTaken(port, family, { code: "EADDRINUSE", errno: EADDRINUSE, syscall: "bind" });
}

/** Names the holder: the kernel's VXLAN device first, since that is whom one meets on a node that ran flannel. */
function portTaken(port: number, family: 4 | 6, cause: SystemCallFailure): PortTakenError {
  const { devices, processes } = portHolders(port, family);
  const [device] = devices;
  if (device !== undefined) {
    return new PortTakenError(
      `UDP port ${port} is taken by the kernel's VXLAN device ${devices.join(", ")}`,
      `remove it with \`ip link del ${device}\` when nothing needs it any more, or choose another port (on all nodes)`,
      cause,
    );
  }
  if (processes.length > 0) {
    const who = processes.map(({ pid, command }) => `${command} (pid ${pid})`).join(", ");
    return new PortTakenError(
      `UDP port ${port} is taken by ${who}`,
      "stop it, or choose another port (on all nodes)",
      cause,
    );
  }
  return new PortTakenError(
    `UDP port ${port} is taken, by nobody that this process can see: another user's process, a tunnel of the ` +
      "kernel, or a VXLAN device made here whose interface was moved to another network namespace",
    "look with `ss -ulpn` and `ip -details link` as root, or choose another port (on all nodes)",
    cause,
  );
}
