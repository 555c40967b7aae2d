/**
 * All tests, in the order in which they run. A test:
 *
 *   name, title   what one types, and what people read
 *   metrics       the figures that `run` returns (`metrics.mjs`)
 *   cost(s)       seconds that one run takes, about, when a transfer takes s
 *   run(bed, { seconds, memory })   measures once; `memory` is an object per test and bed that outlives the run
 *   shared        measured for other tunnels too, not for poplin and the kernel alone
 *   quick         part of `--quick`
 *   rows          on the beds with 1,000 more peers in the tables
 *   runs          at most so many
 */
import * as latency from "./latency.mjs";
import * as mixed from "./mixed.mjs";
import * as tcp from "./tcp.mjs";
import * as udp from "./udp.mjs";

export const TESTS = [...tcp.tests, ...udp.tests, ...latency.tests, ...mixed.tests];

export function testNamed(name) {
  return TESTS.find((test) => test.name === name);
}
