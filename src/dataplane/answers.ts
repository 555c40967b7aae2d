/**
 * Frames that go back to the TAP they came from, turned into an answer where they lie: what the kernel's VXLAN device
 * says itself instead of sending a frame into the overlay. They keep their slot, so they have a ring of their own over
 * the pool that the TAP is read into.
 */
import { VNET_LENGTH } from "./arena.ts";
import { HEAD_LENGTH, HEAD_OFFSET, type Ring } from "./ring.ts";

/**
 * Puts a frame that lies in `slot` on its way back; the slot is the ring's then. Its vnet header becomes one that asks
 * for nothing: the frame is whole, its checksums finished.
 * @returns false when the ring is full: then nothing has changed, and the caller drops the frame
 */
export function pushAnswer(answers: Ring, slot: number, frame: number, length: number): boolean {
  if (answers.room === 0) return false;
  const head = frame - VNET_LENGTH;
  answers.bytes.fill(0, head, frame);
  const row = answers.push(slot, frame, length);
  answers.words[row + HEAD_OFFSET] = head;
  answers.words[row + HEAD_LENGTH] = VNET_LENGTH;
  return true;
}
