/**
 * Writes what passes a port to a pcapng capture, both directions of it. A TAP shows Ethernet frames (their vnet header
 * is left out, so a checksum may be partial and a frame longer than the MTU); an underlay shows VXLAN in UDP in IP,
 * with outer headers made up for it (`outer.ts`). Several ports can share one writer.
 *
 * Made for looking, not for speed: it copies and allocates for each packet.
 */
import { VNET_LENGTH } from "../../dataplane/arena.ts";
import type { Tap, Underlay } from "../../dataplane/ports.ts";
import {
  ADDRESS_BYTES,
  HEAD_LENGTH,
  HEAD_OFFSET,
  LENGTH,
  OFFSET,
  OUTER,
  PEER,
  type Ring,
  SEGMENT,
  VTEP_MASK,
} from "../../dataplane/ring.ts";
import { writeSockaddr } from "../../fdb/sockaddr.ts";
import { LINKTYPE_ETHERNET, LINKTYPE_RAW, nowNanoseconds, type PcapngWriter } from "../pcapng.ts";
import { outerPacket, type Place } from "./outer.ts";
import { type Passage, traceTap, traceUnderlay } from "./trace.ts";

export interface CaptureOptions {
  readonly writer: PcapngWriter;
  /** What the interface is called in the capture; by default the TAP's name, or "underlay". */
  readonly name?: string;
  /** Nanoseconds since 1970; by default the time of the batch. */
  readonly now?: () => bigint;
}

export interface UnderlayCaptureOptions extends CaptureOptions {
  /** Our own outer address: 4 or 16 bytes. The port of an underlay does not say. */
  readonly address: Uint8Array;
  readonly port: number;
}

/** @returns a port that does what `tap` does, and writes down its frames. */
export function captureTap(tap: Tap, { writer, name, now = nowNanoseconds }: CaptureOptions): Tap {
  const id = writer.addInterface({ name: name ?? tap.name, linkType: LINKTYPE_ETHERNET });
  return traceTap(tap, (passage, ring, from, to) => {
    const time = now();
    for (let i = from; i !== to; i = (i + 1) | 0) {
      writer.packet(id, time, rowBytes(ring, i).subarray(VNET_LENGTH), { direction: passage });
    }
  });
}

/** @returns a port that does what `underlay` does, and writes down its datagrams. */
export function captureUnderlay(underlay: Underlay, options: UnderlayCaptureOptions): Underlay {
  const { writer, name = "underlay", now = nowNanoseconds, address, port } = options;
  const id = writer.addInterface({ name, linkType: LINKTYPE_RAW });
  const local: Place = { bytes: new Uint8Array(ADDRESS_BYTES), at: 0 };
  writeSockaddr(local.bytes, 0, address, port);
  return traceUnderlay(underlay, (passage, ring, from, to, addresses) => {
    const time = now();
    for (let i = from; i !== to; i = (i + 1) | 0) {
      for (const packet of datagrams(passage, ring, i, addresses, local)) {
        writer.packet(id, time, packet, { direction: passage });
      }
    }
  });
}

/** The IP packets that row `i` is: several, when it holds segments of UDP_SEGMENT or UDP_GRO. */
function* datagrams(
  passage: Passage,
  ring: Ring,
  i: number,
  addresses: Uint8Array,
  local: Place,
): Generator<Uint8Array, void, undefined> {
  const row = ring.row(i);
  const outer = ring.words[row + OUTER]!;
  const index = passage === "in" ? i & ring.mask : ring.words[row + PEER]! & VTEP_MASK;
  const remote: Place = { bytes: addresses, at: index * ADDRESS_BYTES };
  const bytes = rowBytes(ring, i);
  const segment = ring.words[row + SEGMENT]! & 0xffff || bytes.length;
  let at = 0;
  do {
    const payload = bytes.subarray(at, at + segment);
    if (passage === "in") yield outerPacket(remote, 0, local, outer & 0xff, payload);
    else yield outerPacket(local, outer >>> 16, remote, outer & 0xff, payload);
    at += segment;
  } while (at < bytes.length);
}

/** Head and body of row `i`, copied. */
function rowBytes(ring: Ring, i: number): Uint8Array {
  const row = ring.row(i);
  const { words, bytes } = ring;
  const head = words[row + HEAD_LENGTH]!;
  const body = words[row + LENGTH]!;
  const whole = new Uint8Array(head + body);
  whole.set(bytes.subarray(words[row + HEAD_OFFSET]!, words[row + HEAD_OFFSET]! + head));
  whole.set(bytes.subarray(words[row + OFFSET]!, words[row + OFFSET]! + body), head);
  return whole;
}
