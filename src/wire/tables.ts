/** All header tables. */
import { ARP } from "./arp.ts";
import { ETHERNET } from "./ethernet.ts";
import type { HeaderTable } from "./field.ts";
import { ICMP, ICMP_MESSAGES } from "./icmp.ts";
import { ICMPV6, ICMPV6_MESSAGES } from "./icmpv6.ts";
import { IPV4 } from "./ipv4.ts";
import { IPV4_OPTION, IPV4_OPTIONS } from "./ipv4-options.ts";
import { IPV6 } from "./ipv6.ts";
import { IPV6_EXTENSIONS, IPV6_OPTION, IPV6_OPTIONS } from "./ipv6-extensions.ts";
import { ND_MESSAGES } from "./nd.ts";
import { ND_OPTION, ND_OPTIONS } from "./nd-options.ts";
import { TCP } from "./tcp.ts";
import { TCP_OPTION, TCP_OPTIONS } from "./tcp-options.ts";
import { UDP } from "./udp.ts";
import { VLAN } from "./vlan.ts";
import { VXLAN, VXLAN_GBP } from "./vxlan.ts";

/** Every header and option this room can read and write, outermost first. */
export const TABLES: readonly HeaderTable[] = [
  ...new Set([
    ETHERNET,
    VLAN,
    ARP,
    IPV4,
    ...Object.values(IPV4_OPTIONS),
    IPV4_OPTION,
    IPV6,
    ...Object.values(IPV6_EXTENSIONS),
    ...Object.values(IPV6_OPTIONS),
    IPV6_OPTION,
    UDP,
    TCP,
    ...Object.values(TCP_OPTIONS),
    TCP_OPTION,
    ...Object.values(ICMP_MESSAGES),
    ICMP,
    ...Object.values(ICMPV6_MESSAGES),
    ...Object.values(ND_MESSAGES),
    ...Object.values(ND_OPTIONS),
    ND_OPTION,
    ICMPV6,
    VXLAN,
    VXLAN_GBP,
  ]),
];
