/**
 * What spreads keys over the tables of this room: multiply each part of the key by an odd number of the table's own, add
 * up, and mix once. One part at most has all 32 bits: two differences in the highest bit would cancel each other out,
 * whatever the odd numbers are.
 *
 * The multipliers are drawn anew for each table. Addresses come from the network, and whoever could compute where a
 * key lands could send such as all land in one place and make every lookup walk past them. With secret odd factors,
 * keys that were chosen beforehand meet no more often than any others (multiply-shift hashing: Dietzfelbinger and
 * others, 1997); the mix then breaks up the even steps that sequential addresses leave in such a sum, and that linear
 * probing does not like.
 */

/**
 * Draws `count` odd 32-bit multipliers.
 * @param seed the same seed gives the same multipliers: for tests. Left out, they are random.
 */
export function drawMultipliers(count: number, seed?: number): Int32Array {
  const multipliers = new Int32Array(count);
  if (seed === undefined) {
    crypto.getRandomValues(multipliers);
  } else {
    for (let i = 0; i < count; i++) multipliers[i] = finish((seed + Math.imul(i + 1, 0x9e3779b9)) | 0);
  }
  for (let i = 0; i < count; i++) multipliers[i]! |= 1;
  return multipliers;
}

/** Multipliers that an address takes: one for each 16 bits. */
export const ADDRESS_PARTS = 8;

/**
 * The hash of an address, an IPv4 one mapped into IPv6, in four words.
 * @param k `ADDRESS_PARTS` multipliers, or more
 * @param more product of what else belongs to the key
 */
export function hashAddress(k: Int32Array, a: number, b: number, c: number, d: number, more = 0): number {
  const network =
    Math.imul(a >>> 16, k[0]!) +
    Math.imul(a & 0xffff, k[1]!) +
    Math.imul(b >>> 16, k[2]!) +
    Math.imul(b & 0xffff, k[3]!);
  const host =
    Math.imul(c >>> 16, k[4]!) +
    Math.imul(c & 0xffff, k[5]!) +
    Math.imul(d >>> 16, k[6]!) +
    Math.imul(d & 0xffff, k[7]!);
  return spread((network + host + more) | 0);
}

/**
 * Mixes a sum of products, as the finalizer of MurmurHash3 (public domain) does but for its last step, which would
 * only improve the low bits. The high bits are the good ones: take a table place with `>>> shift`.
 */
export function spread(sum: number): number {
  const h = Math.imul(sum ^ (sum >>> 16), 0x85ebca6b);
  return Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
}

function finish(value: number): number {
  const h = spread(value);
  return h ^ (h >>> 16);
}
