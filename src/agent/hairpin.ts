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
    const mac = Uint8Array.from(shim.tapMac(fd).split(":"), (byte) => Number.parseInt(byte, 16));
    const { address, port, ttl, dontFragment, noCheck } = socket;
    const checksum = noCheck ? "zero" : "computed";
    const options: HairpinOptions = { fd, mac, address, port, ttl, dontFragment, checksum };
    const errno = tryTunnelTap(options, addressBytes(address));
    if (errno === 0) return { options, close: () => shim.close(fd) };
    throw new Error(`the TAP refuses super-frames in VXLAN (${getSystemErrorName(-errno)})`);
  } catch (error) {
    shim.close(fd);
    throw error;
  }
}
