/** A recorded walk as JSON, as `poplin walk -j` prints it, and back. */
import { fromHex, hex } from "../wire/index.ts";
import type { Hop } from "./walk.ts";

/** A packet's way, and the kernel's datagram of the same frame; null where that was not made. */
export interface Walk {
  readonly hops: readonly Hop[];
  readonly twin: Uint8Array | null;
}

export interface WalkJson {
  readonly schema: 1;
  readonly hops: readonly (Omit<Hop, "bytes"> & { readonly bytes: string })[];
  readonly twin: string | null;
}

export function walkToJson({ hops, twin }: Walk): WalkJson {
  return {
    schema: 1,
    hops: hops.map((hop) => ({ ...hop, bytes: hex(hop.bytes) })),
    twin: twin === null ? null : hex(twin),
  };
}

export function walkFromJson({ hops, twin }: WalkJson): Walk {
  return {
    hops: hops.map((hop) => ({ ...hop, bytes: fromHex(hop.bytes) })),
    twin: twin === null ? null : fromHex(twin),
  };
}

/** @returns null where the text is no walk */
export function readWalk(text: string): Walk | null {
  try {
    const json = JSON.parse(text) as Partial<WalkJson> | null;
    if (json?.schema !== 1 || !Array.isArray(json.hops) || json.hops.length === 0) return null;
    const isWalk = json.hops.every(isHop) && (json.twin === null || typeof json.twin === "string");
    return isWalk ? walkFromJson(json as WalkJson) : null;
  } catch {
    return null;
  }
}

function isHop(hop: unknown): boolean {
  const { host, device, direction, what, bytes, mtu, time, because } = (hop ?? {}) as Record<string, unknown>;
  return (
    [host, device, direction, what, bytes].every((one) => typeof one === "string") &&
    [mtu, time].every((one) => typeof one === "number") &&
    Array.isArray(because) &&
    because.every((row) => typeof row === "string")
  );
}
