/** Correctness behind a bad network: a few combinations of offloads and peers (`stress/suite.ts`). */
import { SOME } from "./stress/combinations.ts";
import { stress } from "./stress/suite.ts";

const MB = 1 << 20;

for (const combination of SOME) {
  stress(combination, { clean: 8 * MB, faulty: 6 * MB, connections: 25, datagrams: 1500 });
}
