/** Correctness behind a bad network: every combination of offloads and peers (`stress/suite.ts`). */
import { EVERY } from "./stress/combinations.ts";
import { stress } from "./stress/suite.ts";

const MB = 1 << 20;

for (const combination of EVERY) {
  stress(combination, { clean: 128 * MB, faulty: 32 * MB, connections: 100, datagrams: 6000 });
}
