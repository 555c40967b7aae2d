/**
 * What one operation of the hot path costs: nanoseconds, and bytes allocated (which should be none).
 *
 *   npm run bench:micro                        builds first, then runs this with --expose-gc
 *   npm run bench:micro -- --json              for a machine to read
 *   npm run bench:micro -- --only fdb,vxlan    groups by name
 *   npm run bench:micro -- --rounds 21         more rounds, narrower ranges
 *
 * It is also the suite `micro` of `npm run bench`.
 *
 * It measures and judges nothing: the exit code is 0 whatever the figures. An aim is what we hope for on an ordinary
 * machine. Cases live in bench/micro/, a file per group, each a list of `{ name, aim?, prepare }` (see harness.mjs).
 */
import { parseArgs } from "node:util";
import * as checksum from "./micro/checksum.mjs";
import * as fdb from "./micro/fdb.mjs";
import * as flow from "./micro/flow.mjs";
import { machine, measure, table } from "./micro/harness.mjs";
import * as stages from "./micro/stages.mjs";
import * as vteps from "./micro/vteps.mjs";
import * as vxlan from "./micro/vxlan.mjs";

const GROUPS = { stages, flow, fdb, vteps, vxlan, checksum };

const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    only: { type: "string" },
    rounds: { type: "string", default: "9" },
  },
});

const wanted = values.only?.split(",") ?? Object.keys(GROUPS);
const unknown = wanted.filter((name) => !(name in GROUPS));
const rounds = Number(values.rounds);
if (unknown.length > 0 || !(Number.isInteger(rounds) && rounds > 0)) {
  console.error(
    unknown.length > 0
      ? `no group is called ${unknown.join(" or ")}: there are ${Object.keys(GROUPS).join(", ")}`
      : `--rounds takes a whole number from 1 on, not "${values.rounds}"`,
  );
  process.exit(2);
}

const cases = wanted.flatMap((group) => GROUPS[group].cases.map((one) => ({ group, ...one })));
const results = measure(cases, rounds);
if (values.json) console.log(JSON.stringify({ machine: machine(), rounds, results }, null, 2));
else console.log(table(machine(), rounds, results));
