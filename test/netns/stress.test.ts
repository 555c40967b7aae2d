/** Correctness behind a bad network: a few combinations of offloads and peers (`stress/suite.ts`). */
import { SOME } from "./stress/combinations.ts";
import { stress } from "./stress/suite.ts";

const MB = 1 << 20;

for (const combination of SOME) {
  stress(combination, { clean: 16 * MB, faulty: 12 * MB, connections: 50, datagrams: 3000 });
}
