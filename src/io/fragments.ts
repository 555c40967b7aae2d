/**
 * Which captured packets are fragments of VXLAN. A VTEP must not fragment what it sends (RFC 7348 section 4.3), but
 * its kernel does when the underlay's MTU is too small for the overlay's and DF is unset, as flannel leaves it. That
 * costs throughput and breaks behind firewalls, so whoever looks at the underlay should be told.
 *
 * A later fragment has no ports: it is ours when it follows a first one that is, by source, destination and
 * identification (RFC 791 section 3.2, RFC 8200 section 4.5).
 */

/** `later`: a fragment with no UDP header of its own. `foreign`: a fragment of something else. */
export type FragmentKind = "whole" | "first" | "later" | "foreign";

const ETHERNET = 1;
const RAW = 101;
const LINUX_SLL = 113;
/** First fragments remembered. */
const MEMORY = 256;

export class FragmentTracker {
  readonly #network: (packet: Uint8Array) => number;
  readonly #port: number;
  /** First fragments lately seen. A Set keeps the order they came in. */
  readonly #firsts = new Set<string>();

  /**
   * @param linkType LINKTYPE_ number of the capture
   * @param port the VXLAN port that is captured
   */
  constructor(linkType: number, port: number) {
    this.#network = networkOffset(linkType);
    this.#port = port;
  }

  /** @param packet as captured; one that `vxlanFilter` let through */
  classify(packet: Uint8Array): FragmentKind {
    const at = this.#network(packet);
    const version = (packet[at] ?? 0) >> 4;
    if (version === 4 && packet.length >= at + 20) return this.#classify4(packet, at);
    if (version === 6 && packet.length >= at + 48 && packet[at + 6] === 44)
      return this.#classify6(packet, at);
    return "whole";
  }

  #classify4(packet: Uint8Array, at: number): FragmentKind {
    const flags = (packet[at + 6]! << 8) | packet[at + 7]!;
    const key = hex(packet, at + 4, 2) + hex(packet, at + 12, 8);
    return this.#sort(key, flags & 0x1fff, (flags & 0x2000) !== 0);
  }

  #classify6(packet: Uint8Array, at: number): FragmentKind {
    if (packet[at + 40] !== 17) return "foreign";
    const flags = (packet[at + 42]! << 8) | packet[at + 43]!;
    // The filter knows no ports behind a fragment header.
    if (flags >> 3 === 0 && !this.#hasPort(packet, at + 48)) return "foreign";
    const key = hex(packet, at + 44, 4) + hex(packet, at + 8, 32);
    return this.#sort(key, flags >> 3, (flags & 1) !== 0);
  }

  #hasPort(packet: Uint8Array, at: number): boolean {
    if (packet.length < at + 4) return false;
    const source = (packet[at]! << 8) | packet[at + 1]!;
    const destination = (packet[at + 2]! << 8) | packet[at + 3]!;
    return source === this.#port || destination === this.#port;
  }

  #sort(key: string, offset: number, more: boolean): FragmentKind {
    if (offset > 0) return this.#firsts.has(key) ? "later" : "foreign";
    if (!more) return "whole";
    if (this.#firsts.size >= MEMORY) this.#firsts.delete(this.#firsts.values().next().value!);
    this.#firsts.add(key);
    return "first";
  }
}

/** Where the IP header starts. */
export function networkOffset(linkType: number): (packet: Uint8Array) => number {
  switch (linkType) {
    case ETHERNET:
      return (packet) => {
        let at = 14;
        while (isVlanTag(packet, at - 2)) at += 4;
        return at;
      };
    case LINUX_SLL:
      return () => 16;
    case RAW:
      return () => 0;
    default:
      // BSD loopback (0): a 32-bit address family.
      return () => 4;
  }
}

/** 802.1Q or 802.1ad. */
function isVlanTag(packet: Uint8Array, at: number): boolean {
  return (packet[at] === 0x81 && packet[at + 1] === 0x00) || (packet[at] === 0x88 && packet[at + 1] === 0xa8);
}

function hex(packet: Uint8Array, at: number, length: number): string {
  return Buffer.from(packet.buffer, packet.byteOffset + at, length).toString("hex");
}
