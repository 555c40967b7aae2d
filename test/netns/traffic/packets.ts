/** VXLAN datagrams from one node of a lab to another: good ones, and the parts to make bad ones of. */
import { VNI } from "../../../src/lab/node.ts";
import { type NodePlan, podAddress } from "../../../src/lab/plan.ts";
import { encode } from "../../../src/wire/encode.ts";
import type { FieldValue } from "../../../src/wire/field.ts";
import { VXLAN } from "../../../src/wire/vxlan.ts";
import { concat, ethernet, ipv4, udp } from "../../wire/frames.ts";

type Values = Readonly<Record<string, FieldValue>>;

/** Whose VTEP sends to whose. */
export interface Way {
  readonly from: NodePlan;
  readonly to: NodePlan;
}

/** A MAC as the number that field tables want. */
export function macNumber(text: string): number {
  return Number.parseInt(text.replaceAll(":", ""), 16);
}

function ipv4Number(text: string): number {
  return text.split(".").reduce((number, part) => number * 256 + Number(part), 0);
}

/** An IPv4 packet from pod to pod, as it is after the first node has routed it. */
export function podPacket({ from, to }: Way, protocol: number, payload: Uint8Array): Uint8Array {
  const source = ipv4Number(podAddress(from).v4);
  const destination = ipv4Number(podAddress(to).v4);
  return ipv4(protocol, payload, { source, destination, ttl: 63 });
}

/** The frame in which the VTEPs exchange a packet. */
export function vtepFrame({ from, to }: Way, packet: Uint8Array, values: Values = {}): Uint8Array {
  const macs = { source: macNumber(from.vtepMac), destination: macNumber(to.vtepMac) };
  return ethernet(0x0800, packet, { ...macs, ...values });
}

/** A VXLAN header in front of anything. */
export function vxlan(inner: Uint8Array, values: Values = {}): Uint8Array {
  return concat(encode(VXLAN, { i: 1, vni: VNI, ...values }), inner);
}

/** A good frame: UDP from pod to pod, to `port`, with a text in it. */
export function textFrame(way: Way, port: number, text: string, values: Values = {}): Uint8Array {
  const payload = new TextEncoder().encode(text);
  return vtepFrame(way, podPacket(way, 17, udp(payload, { destinationPort: port })), values);
}
