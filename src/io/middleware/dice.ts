/**
 * Random numbers by place instead of by turn: what is drawn for packet n of a seed is always the same, however the
 * packets were batched and whatever else was drawn before. A fault can be found again by its seed.
 */

/**
 * @param what which of a packet's questions this is: small and different for each
 * @returns a number from 0 up to, not including, 1
 */
export function draw(seed: number, packet: number, what: number): number {
  let h = mix(seed ^ 0x9e3779b9);
  h = mix(h ^ packet);
  h = mix(h ^ what);
  return (h >>> 0) / 0x1_0000_0000;
}

/** MurmurHash3's finalizer (public domain), which is one-to-one, after a step away from 0, which it would keep. */
function mix(value: number): number {
  let h = (value + 0x6d2b79f5) | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}
