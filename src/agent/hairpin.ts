/**
 * The TAP for hairpin transmit, ready to be written to: made, up, forwarding what we write, and tried with a packet. It
 * goes with its descriptor, however the agent ends.
 */
import { getSystemErrorName } from "node:util";
import { addressBytes } from "../control/address.ts";
import { forwardOwn } from "../host/sysctl.ts";
import type { HairpinOptions } from "../io/linux/hairpin.ts";
import { loadShim, type UdpSocketOptions } from "../io/linux/shim.ts";
import { openTunnelTap, tryTunnelTap } from "../io/linux/tunnel-tap.ts";

export interface Hairpin {
  readonly options: HairpinOptions;
  close(): void;
}

/** Takes over one that an agent before this one had opened for the same. */
export function adoptHairpin(
  fd: number,
  socket: Pick<UdpSocketOptions, "address" | "port" | "ttl" | "dontFragment" | "noCheck">,
): Hairpin {
  return { options: optionsOf(fd, socket), close: () => loadShim().close(fd) };
}

function optionsOf(
  fd: number,
  { address, port, ttl, dontFragment, noCheck }: Parameters<typeof openHairpin>[0],
): HairpinOptions {
  const mac = Uint8Array.from(loadShim().tapMac(fd).split(":"), (byte) => Number.parseInt(byte, 16));
  return { fd, mac, address, port, ttl, dontFragment, checksum: noCheck ? "zero" : "computed" };
}

/**
 * Opens one.
 * @param socket what the underlay's socket is like: so are the outer headers
 * @throws Error saying what is in the way
 */
export function openHairpin(
  socket: Pick<UdpSocketOptions, "address" | "port" | "ttl" | "dontFragment" | "noCheck">,
): Hairpin {
  const shim = loadShim();
  const { fd, name } = openTunnelTap("poplin-hp%d");
  try {
    forwardOwn(name);
    shim.linkUp(name);
    const options = optionsOf(fd, socket);
    const errno = tryTunnelTap(options, addressBytes(socket.address));
    if (errno === 0) return { options, close: () => shim.close(fd) };
    throw new Error(`the TAP refuses super-frames in VXLAN (${getSystemErrorName(-errno)})`);
  } catch (error) {
    shim.close(fd);
    throw error;
  }
}
