/** Where packets wait on the far side of a memory port: a descriptor ring over an arena of its own. */
import { Arena, alignUp, FRAME_AT } from "../../dataplane/arena.ts";
import { Ring } from "../../dataplane/ring.ts";

/**
 * @param count packets it holds
 * @param bytes of the longest packet, not counting the vnet or VXLAN header in front of the frame
 */
export function packetQueue(count: number, bytes: number): Ring {
  const slotSize = alignUp(bytes + FRAME_AT, 64);
  return new Ring(new Arena(count * slotSize).carvePool(slotSize, count), count);
}

/** Whether one more packet finds a row and a slot. */
export function hasRoom(queue: Ring): boolean {
  return queue.room > 0 && queue.pool.free > 0;
}
