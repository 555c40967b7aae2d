/**
 * Hairpin transmit: super-frames leave uncut. The kernel (6.17 and later) takes a VXLAN packet of up to 64 KB that
 * holds one inner TCP super-frame at a TAP, as a card would deliver it (TUN_F_UDP_TUNNEL_GSO), forwards it to the
 * underlay like any packet that has come in, and cuts it where the way out cannot take it whole. So nobody sums or cuts
 * anything here; the price is a way through IP forwarding, with all that hooks into that (firewall, conntrack).
 *
 *   row   vnet header (24) │ Ethernet │ IPv4 │ UDP │ VXLAN │ inner super-frame
 *         └────────────────── head ──────────────┘ └──────── body ───────────┘
 *
 * All else, and super-frames that would not fit an IPv4 packet, goes by the batch underlay. Both ways end in the same
 * call to the underlay's device, so the order stays.
 *
 * Limits: a firewall that drops what is forwarded drops these packets, and nobody here learns of it. IPv4 underlay. The
 * TAP's network namespace must forward from it (`host/sysctl.ts`).
 */
import { getSystemErrorName } from "node:util";
import type { Underlay, UnderlayCapabilities } from "../../dataplane/ports.ts";
import {
  ADDRESS_BYTES,
  DONT_FRAGMENT,
  HEAD_OFFSET,
  LENGTH,
  OUTER,
  PEER,
  type Ring,
  SUPER,
  TTL_SHIFT,
  VTEP_MASK,
} from "../../dataplane/ring.ts";
import {
  le16,
  VNET_CSUM_START,
  VNET_GSO_SIZE,
  VNET_GSO_TYPE,
  VNET_HEADER_LENGTH,
  VNET_INNER_L3,
} from "../../dataplane/vnet.ts";
import { NOBODY } from "../../fdb/vteps.ts";
import { putU16 } from "../../wire/bytes.ts";
import { checksum, fold, pseudoSumV4 } from "../../wire/checksum.ts";
import { PROTOCOL_UDP } from "../../wire/numbers.ts";
import { ETHERNET_LENGTH, IPV4_LENGTH, UDP_LENGTH } from "../../wire/views.ts";
import { OuterHeaders, type OuterOptions } from "../raw/outer.ts";
import type { BatchUnderlay } from "./batch.ts";
import { loadShim } from "./shim.ts";

const EINVAL = 22;
/** struct virtio_net_hdr_v1_hash_tunnel, `include/uapi/linux/virtio_net.h` */
export const TUNNEL_VNET_LENGTH = 24;
const OUTER_TH_OFFSET = 20;
const INNER_NH_OFFSET = 22;
/** VIRTIO_NET_HDR_GSO_UDP_TUNNEL_IPV4 */
const TUNNEL_IPV4 = 0x20;
/** VIRTIO_NET_HDR_F_UDP_TUNNEL_CSUM: the outer UDP checksum, too, is to be finished. */
const TUNNEL_CSUM = 8;
const VXLAN_LENGTH = 8;

const OUTER_UDP = ETHERNET_LENGTH + IPV4_LENGTH;
/** Bytes in front of the inner frame, on the wire. */
const BEFORE_INNER = OUTER_UDP + UDP_LENGTH + VXLAN_LENGTH;
const HEAD_LENGTH = TUNNEL_VNET_LENGTH + OUTER_UDP + UDP_LENGTH;

/** The TAP to write to, and what stands in every outer header. */
export interface HairpinOptions extends OuterOptions {
  /** A TAP that was opened for tunnels (`openTunnelTap`). */
  readonly fd: number;
  /** Its MAC, 6 bytes: only a frame for this host is forwarded. */
  readonly mac: Uint8Array;
  readonly checksum: "computed" | "zero";
}

export class HairpinUnderlay implements Underlay {
  readonly kind = "batch";
  readonly fd: number;
  readonly family = 4;
  readonly capabilities: UnderlayCapabilities;
  readonly sourcePorts: Uint16Array;
  readonly superHeadLength = HEAD_LENGTH;
  writeFd: number;
  takesSuperFrames = true;
  superRefused: string | undefined;
  readonly #inner: BatchUnderlay;
  readonly #tap: number;
  readonly #computed: boolean;
  readonly #shim = loadShim();
  readonly #template = new Uint8Array(OUTER_UDP + UDP_LENGTH);
  readonly #headers: OuterHeaders;
  #id = Math.floor(Math.random() * 0x10000);

  /** Takes over the batch underlay; the TAP stays the caller's to close. */
  constructor(inner: BatchUnderlay, options: HairpinOptions) {
    this.#inner = inner;
    this.fd = inner.fd;
    this.writeFd = inner.fd;
    this.capabilities = inner.capabilities;
    this.sourcePorts = inner.sourcePorts;
    this.#tap = options.fd;
    this.#computed = options.checksum === "computed";
    this.#template.set(options.mac);
    this.#template.set([2, 0, 0, 0, 0, 1, 0x08, 0x00], 6); // from nobody in particular, IPv4
    this.#headers = new OuterHeaders(this.#template.subarray(ETHERNET_LENGTH), options);
  }

  recvBatch(ring: Ring, max: number): number {
    return this.#inner.recvBatch(ring, max);
  }

  sendBatch(ring: Ring, addresses: Uint8Array, count = ring.length): number {
    if (count === 0) return 0;
    const whole = this.#run(ring, count, SUPER);
    if (whole === 0) {
      const sent = this.#inner.sendBatch(ring, addresses, this.#run(ring, count, 0));
      this.writeFd = this.#inner.writeFd;
      return sent;
    }
    if ((ring.words[ring.row(ring.tail) + PEER]! & VTEP_MASK) === NOBODY) return -EINVAL; // a VTEP that has gone meanwhile
    for (let i = 0; i < whole; i++) this.#write(ring, ring.row(ring.tail + i), addresses);
    const { bytes, words, mask, tail } = ring;
    const written = this.#shim.writeBatch(this.#tap, bytes, words, mask, tail, whole);
    if (written > 0) ring.complete(written);
    if (written === 0) this.writeFd = this.#tap;
    if (written >= 0) return written;
    this.#refused(-written);
    return -EINVAL; // whatever it was, it is not the end of the underlay
  }

  overflows(): number {
    return this.#inner.overflows();
  }

  get gsoRefused(): string | undefined {
    return this.#inner.gsoRefused;
  }

  get gsoFallbacks(): number {
    return this.#inner.gsoFallbacks;
  }

  setWake(wake: (() => void) | null): void {
    this.#inner.setWake(wake);
  }

  setInterest(readable: boolean, writable: boolean): void {
    this.#inner.setInterest(readable, writable);
  }

  close(): void {
    this.#inner.close();
  }

  /** How many of the oldest rows have SUPER as `kind` has it: rows of one way, one behind another. */
  #run(ring: Ring, count: number, kind: number): number {
    let n = 0;
    for (; n < count; n++) {
      const row = ring.row(ring.tail + n);
      if ((ring.words[row + OUTER]! & SUPER) !== kind) break;
      if (n > 0 && kind === SUPER && (ring.words[row + PEER]! & VTEP_MASK) === NOBODY) break;
    }
    return n;
  }

  /** Writes the outer headers and the rest of the vnet header into the head of a row. */
  #write(ring: Ring, row: number, addresses: Uint8Array): void {
    const { bytes, words } = ring;
    const head = words[row + HEAD_OFFSET]!;
    if (bytes[head + OUTER_TH_OFFSET] !== 0) return; // it has waited since an earlier call
    const outer = words[row + OUTER]!;
    const length = words[row + LENGTH]!;
    const peer = words[row + PEER]!;
    const df = (outer & DONT_FRAGMENT) !== 0;
    this.#headers.vary(peer >>> TTL_SHIFT, df);
    this.#headers.write(outer & 0xff, outer >>> 16, addresses, (peer & VTEP_MASK) * ADDRESS_BYTES, length);
    const ethernet = head + TUNNEL_VNET_LENGTH;
    bytes.set(this.#template, ethernet);
    const ip = ethernet + ETHERNET_LENGTH;
    // Forwarding takes one off.
    bytes[ip + 8]! = Math.min(255, bytes[ip + 8]! + 1);
    putU16(bytes, ip + 4, this.#id);
    // The kernel numbers the pieces it cuts from here on.
    const pieces = Math.ceil(length / Math.max(1, le16(bytes, head + VNET_GSO_SIZE)));
    this.#id = (this.#id + pieces) & 0xffff;
    putU16(bytes, ip + 10, checksum(bytes, ip, IPV4_LENGTH));
    const udp = ip + IPV4_LENGTH;
    const pseudo = pseudoSumV4(bytes, ip, PROTOCOL_UDP, UDP_LENGTH + length);
    putU16(bytes, udp + 6, this.#computed ? fold(pseudo) : 0);
    this.#writeVnet(bytes, head);
  }

  /** The dataplane's twelve bytes count from the inner frame; the kernel's from the outer Ethernet header. */
  #writeVnet(bytes: Uint8Array, head: number): void {
    const l3 = bytes[head + VNET_INNER_L3]!;
    if (this.#computed) bytes[head]! |= TUNNEL_CSUM;
    bytes[head + VNET_GSO_TYPE]! |= TUNNEL_IPV4;
    bytes[head + VNET_HEADER_LENGTH]! += BEFORE_INNER;
    bytes[head + VNET_CSUM_START]! += BEFORE_INNER;
    bytes.fill(0, head + VNET_INNER_L3, head + TUNNEL_VNET_LENGTH);
    bytes[head + OUTER_TH_OFFSET] = OUTER_UDP;
    bytes[head + INNER_NH_OFFSET] = BEFORE_INNER + l3;
  }

  #refused(errno: number): void {
    this.takesSuperFrames = false;
    this.superRefused = `the kernel refused it while packets flowed (${getSystemErrorName(-errno)})`;
  }
}
