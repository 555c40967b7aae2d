/** The ping that lessons of bytes are about, and the node that it is for. */
import { assign } from "../../teach/assign.ts";
import { EXAMPLES } from "../../teach/examples.ts";
import { explain } from "../../teach/explanation.ts";
import { addresseeOf } from "../../teach/judge/judge.ts";
import { VXLAN_LENGTH } from "../../wire/index.ts";

/** From node-a, 172.19.0.2, to node-b, without a UDP checksum. */
export const PING = EXAMPLES.ping.bytes;
export const PING_EXPLAINED = explain(PING);
/** Node-b, which knows node-a and nobody else. */
export const NODE_B = addresseeOf(PING_EXPLAINED);
/** Of node-a's VTEP. */
export const MAC_A = "7a:21:9c:04:55:01";

/** Where the VXLAN header begins, and the inner frame. */
const VXLAN_AT = 42;
export const FRAME_AT = VXLAN_AT + VXLAN_LENGTH;

/** The ping with another VXLAN header; a text where the bytes are none. */
export function pingWithHeader(header: Uint8Array): Uint8Array | string {
  if (header.length !== VXLAN_LENGTH)
    return `A VXLAN header has ${VXLAN_LENGTH} bytes; there are ${header.length}.`;
  const bytes = PING.slice();
  bytes.set(header, VXLAN_AT);
  return bytes;
}

/** The ping's tunnel with another frame in it; the outer lengths fit. */
export function tunnelWith(frame: Uint8Array): Uint8Array {
  const bytes = Uint8Array.from([...PING.subarray(0, FRAME_AT), ...frame]);
  return assign(bytes, [
    { path: "outer.ipv4.totalLength", value: String(bytes.length - 14) },
    { path: "outer.udp.length", value: String(bytes.length - 34) },
  ]);
}
