/** How long tests of anything at random go on: a few seconds, or what `npm run fuzz` asks for. */

/** @param usual seconds in `npm test` */
export function fuzzSeconds(usual: number): number {
  return Number(process.env.POPLIN_FUZZ_SECONDS ?? usual);
}
