/** Settings of the headers that are written and read. */
import { formatGroupPolicy, groupPolicy } from "../group-policy.ts";
import type { Rows } from "../settings.ts";
import { oneOf, wholeNumber, wordOr, yesOrNo } from "../values.ts";

const hops = wordOr("auto", wordOr("inherit", wholeNumber(1, 255)));
/** 0 is the kernel's word for its default. */
const ttl: typeof hops = (raw) => hops(String(raw).trim() === "0" ? "auto" : raw);

export const HEADER_ROWS: Rows<"reservedBits" | "tos" | "ttl" | "df" | "udpChecksum"> = {
  reservedBits: {
    read: oneOf(["rfc", "linux"]),
    fallback: "rfc",
    example: "rfc",
    placeholder: "MODE",
    description:
      "Reserved bits of the VXLAN header that are set: `rfc` ignores them (RFC 7348), `linux` drops the packet as the kernel does.",
    reload: "live",
  },
  tos: {
    read: wordOr("inherit", wholeNumber(0, 255)),
    fallback: 0,
    example: "inherit",
    placeholder: "TOS",
    description:
      "Outer TOS or traffic class: a byte whose ECN bits come from inside, or `inherit` for all of it.",
    reload: "live",
  },
  ttl: {
    read: ttl,
    fallback: "auto",
    defaultText: "auto: the kernel's default",
    example: "64",
    placeholder: "HOPS",
    description:
      "Outer TTL or hop limit: a number, `auto`, or `inherit` for that of the inner IP packet (the kernel's default where there is none). To a multicast group `auto` is 1.",
    reload: "restart",
  },
  df: {
    read: oneOf(["unset", "set", "inherit"]),
    fallback: "unset",
    example: "unset",
    placeholder: "MODE",
    description:
      "Don't-fragment bit of the outer IPv4 header. `inherit`: as the inner IPv4 header has it, set for IPv6 inside, unset for what has a VLAN tag; `batch` then has two sockets for each source port. The kernel's VXLAN leaves it unset.",
    reload: "restart",
  },
  udpChecksum: {
    read: oneOf(["computed", "zero"]),
    fallback: "computed",
    example: "computed",
    placeholder: "MODE",
    description:
      "Outer UDP checksum of what is sent. Over IPv6 zero is refused by whoever was not told to accept it (kernel VXLAN devices and poplin: `udp6zerocsumrx`).",
    reload: "restart",
  },
};

/** What only some overlays have: IPv6's fields, VLAN tags, groups. */
export const RARE_HEADER_ROWS: Rows<"flowlabel" | "udp6zerocsumrx" | "vlan" | "gbp"> = {
  flowlabel: {
    read: wholeNumber(0, 0xfffff),
    fallback: 0,
    example: "0",
    placeholder: "LABEL",
    description: "Flow label of the outer IPv6 header.",
    reload: "restart",
  },
  udp6zerocsumrx: {
    read: yesOrNo,
    fallback: false,
    example: "false",
    placeholder: null,
    description:
      "Accept datagrams with a zero UDP checksum over IPv6, as RFC 6935 allows for tunnels. Over IPv4 they always are. What the kernel refuses without it, it counts in `Udp6InCsumErrors` of /proc/net/snmp6, not for us.",
    reload: "restart",
  },
  vlan: {
    read: oneOf(["pass", "rfc"]),
    fallback: "pass",
    example: "pass",
    placeholder: "MODE",
    description:
      "VLAN tags of inner frames. `pass` leaves them alone, as Linux does. `rfc` sends frames without their tags and discards what comes in with one (RFC 7348 section 6.1).",
    reload: "live",
  },
  gbp: {
    read: groupPolicy,
    format: formatGroupPolicy,
    fallback: "off",
    example: "off",
    placeholder: "GROUP",
    description:
      "VXLAN Group Based Policy: the group that the header of all we send names, with the D and A bits where wanted, as `100` or `100,dontLearn,applied`; `on` names none, `off` knows nothing of it. The kernel takes the group from each packet's mark; a TAP carries none, so here it is one for the VNI. Received groups are let in, counted (`rxGbp`) and shown, and reach no packet's mark. All nodes need the same: a VTEP without it may drop what has one.",
    reload: "live",
  },
};
