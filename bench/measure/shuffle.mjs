/** Repeatable disorder: a cache and a branch predictor must not see the next key coming. */

/** A small generator (xorshift, Marsaglia 2003): the same sequence in every run. */
export function generator(seed) {
  let state = seed | 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

/** Shuffles in place (Fisher and Yates). */
export function shuffle(array, seed = 1) {
  const random = generator(seed);
  for (let i = array.length - 1; i > 0; i--) {
    const j = random(i + 1);
    [array[i], array[j]] = [array[j], array[i]];
  }
  return array;
}
