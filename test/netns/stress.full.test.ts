/** Correctness behind a bad network: every combination of offloads and peers (`stress/suite.ts`). */
import { EVERY } from "./stress/combinations.ts";
import { stress } from "./stress/suite.ts";

const MB = 1 << 20;

for (const combination of EVERY) {
  stress(combination, { clean: 100 * MB, faulty: 24 * MB, connections: 80, datagrams: 4000 });
}
