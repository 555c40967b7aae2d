/** UDP. */
import type { HeaderTable } from "./field.ts";

export const UDP: HeaderTable = {
  name: "udp",
  title: "UDP",
  kind: "header",
  length: 8,
  fields: [
    {
      name: "sourcePort",
      title: "source port",
      at: 0,
      width: 16,
      format: "port",
      short: "where answers go",
      meaning: "Port of the sender. Under VXLAN: a hash of the inner flow.",
      why: "Answers go there. Routers and network cards spread flows by it, so one port for all tunnels means one path.",
      source: "RFC 768, Fields; under VXLAN: RFC 7348 section 5",
      ifWrong:
        "Answers reach another program. Under VXLAN: flows are not spread, or one flow takes several paths.",
    },
    {
      name: "destinationPort",
      title: "destination port",
      at: 16,
      width: 16,
      format: "port",
      short: "which program gets it",
      meaning: "Port of the receiver: 4789 is VXLAN by IANA's list, 8472 by Linux's and flannel's default.",
      why: "One host has many programs; the port says for which the datagram is.",
      source: "RFC 768, Fields; under VXLAN: RFC 7348 section 5",
      ifWrong: "Nobody listens there: ICMP says port unreachable and the tunnel is silent.",
    },
    {
      name: "length",
      title: "length",
      at: 32,
      width: 16,
      format: "decimal",
      short: "header and payload",
      meaning: "Bytes in the datagram, these 8 included.",
      why: "The IP header says the same; here it is under the checksum.",
      source: "RFC 768, Fields",
      ifWrong: "Longer than the IP payload or below 8: dropped. Shorter: the end is cut off.",
      unit: "bytes",
      usual: 8,
    },
    {
      name: "checksum",
      title: "checksum",
      at: 48,
      width: 16,
      format: "checksum",
      short: "0: none (IPv4 only)",
      meaning:
        "Ones-complement sum over addresses, protocol, length, this header and the payload. 0: not computed.",
      why: "It finds flipped bits, and datagrams that came to the wrong address. The inner packet has sums of its own, so VXLAN over IPv4 may leave it out.",
      source: "RFC 768, Fields; zero over IPv6: RFC 6935 section 5",
      ifWrong:
        "The datagram is dropped. 0 over IPv6 is dropped too, unless the receiver has allowed it for the port.",
    },
  ],
};
