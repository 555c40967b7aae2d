/** The overlay's own settings: its number and its device. */
import { deviceAddress, deviceName, vtepMac } from "../addresses.ts";
import type { Rows } from "../settings.ts";
import { orAuto, wholeNumber } from "../values.ts";
import { formatList } from "./format.ts";

export const OVERLAY_ROWS: Rows<"vni" | "device" | "address" | "mtu" | "vtepMac"> = {
  vni: {
    read: wholeNumber(0, 2 ** 24 - 1),
    fallback: 1,
    example: "1",
    placeholder: "NUMBER",
    description: "VXLAN network identifier; the same on all nodes. flannel's is 1.",
    reload: "restart",
  },
  device: {
    read: orAuto(deviceName),
    fallback: null,
    defaultText: "flannel.VNI",
    example: "flannel.1",
    placeholder: "NAME",
    description: "Name of the TAP device. A VXLAN device or TUN of this name is replaced.",
    reload: "restart",
  },
  address: {
    shape: "list",
    read: deviceAddress,
    gather: (addresses) => addresses,
    format: formatList,
    fallback: [],
    defaultText: "none: addresses of the device are left alone",
    example: "10.244.1.0/32",
    placeholder: "CIDR",
    description:
      "Address of the device, or a list of them, IPv4 or IPv6. flannel gives it the network address of the node's own subnet, as /32 or /128.",
    reload: "live",
  },
  mtu: {
    read: orAuto(wholeNumber(68, 65485)),
    fallback: null,
    defaultText: "the uplink's MTU less 50, or less 70 over IPv6",
    example: "1450",
    placeholder: "BYTES",
    description: "MTU of the overlay: the largest inner IP packet.",
    reload: "restart",
  },
  vtepMac: {
    read: orAuto(vtepMac),
    fallback: null,
    defaultText: "the one the device has, else a random one",
    example: '"0e:2a:00:00:00:01"',
    placeholder: "MAC",
    description: "MAC of our device. Peers must know it, so give it where they are configured by hand.",
    reload: "restart",
  },
};
