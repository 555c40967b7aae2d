/** The command line, and what it asks for. */
import { parseArgs } from "node:util";
import { TESTS } from "../tests/index.mjs";

export const SUITES = {
  netns: "poplin beside the kernel's VXLAN, everything in namespaces on this machine",
  peers: "other tunnels beside both: the kernel's without offloads, and whatever is installed",
  micro: "nanoseconds and allocated bytes of the pieces of the hot path",
  soak: "one TCP stream for an hour: throughput and memory over time",
  cluster: "a node of a flannel cluster while 1,000 others join, change and leave, over files and etcd",
};

/** What runs when nobody says otherwise. */
const BY_DEFAULT = ["netns", "peers", "micro"];

export const HELP = `usage: npm run bench -- [options]      (as root)

  --quick                three minutes in all
  --only SUITES          ${Object.keys(SUITES).join(", ")}; by default the first three
  --tests TESTS          single measurements, by name: see --list
  --list                 names of suites and tests
  --runs N               interleaved runs of each test
  --seconds S            seconds of one transfer
  --minutes N            how long a soak takes (60)
  --poplin 'ARGS'        more arguments for \`poplin agent\`
  --variant NAME='ARGS'  another poplin with these arguments, in the same run;
                         may be repeated
  --compare REF          the poplin of another commit, in the same run
  --from FILE            measure nothing: reports and charts of an older result
  --out DIR              where the report goes (bench/results)
  --publish              put it where README shows it from, too
  --help

Writes bench/results/DATE.json, .md and charts. The exit code is 0 whatever the
figures, 2 when the command line makes no sense.`;

export class UsageError extends Error {}

const PLANS = {
  normal: { seconds: 3, runs: 5, peerRuns: 3 },
  quick: { seconds: 1, runs: 2, peerRuns: 1 },
};

/** @param {string[]} argv @throws UsageError */
export function parse(argv) {
  const values = read(argv);
  const only = list(values.only) ?? BY_DEFAULT;
  const tests = list(values.tests);
  refuse(only, Object.keys(SUITES), "suite");
  const names = TESTS.map(({ name }) => name);
  if (tests) refuse(tests, names, "test");
  const plan = { ...PLANS[values.quick ? "quick" : "normal"], quick: values.quick };
  if (values.runs !== undefined) plan.runs = plan.peerRuns = positive("--runs", values.runs, true);
  if (values.seconds !== undefined) plan.seconds = positive("--seconds", values.seconds);
  return {
    ...{ only, tests, plan, help: values.help, list: values.list },
    minutes: positive("--minutes", values.minutes),
    poplinArgs: words(values.poplin ?? ""),
    variants: (values.variant ?? []).map(variant),
    compare: values.compare ?? null,
    from: values.from ?? null,
    out: values.out ?? null,
    publish: values.publish,
  };
}

function read(argv) {
  const flag = { type: "boolean", default: false };
  const text = { type: "string" };
  try {
    return parseArgs({
      args: joined(argv),
      options: {
        ...{ quick: flag, list: flag, publish: flag, help: { ...flag, short: "h" } },
        ...{
          only: text,
          tests: text,
          runs: text,
          seconds: text,
          compare: text,
          from: text,
          out: text,
          poplin: text,
        },
        minutes: { ...text, default: "60" },
        variant: { ...text, multiple: true },
      },
    }).values;
  } catch (error) {
    throw new UsageError(error.message);
  }
}

/** parseArgs takes no value that starts with a dash unless it hangs on an equals sign: `--poplin '--spin off'`. */
function joined(argv) {
  const at = argv.indexOf("--poplin");
  if (at < 0 || at + 1 === argv.length) return argv;
  return [...argv.slice(0, at), `--poplin=${argv[at + 1]}`, ...argv.slice(at + 2)];
}

function list(text) {
  return text?.split(",").filter(Boolean);
}

function refuse(given, known, what) {
  const unknown = given.filter((name) => !known.includes(name));
  if (unknown.length > 0)
    throw new UsageError(`no ${what} is called ${unknown.join(" or ")}: there are ${known.join(", ")}`);
}

function positive(name, text, whole = false) {
  const number = Number(text);
  if (!(number > 0) || (whole && !Number.isInteger(number)))
    throw new UsageError(`${name} takes a ${whole ? "whole " : ""}number above 0, not "${text}"`);
  return number;
}

/** "nospin=--spin off" → `{ name, args }` */
function variant(text) {
  const [, name, args] = /^([\w.-]+)=(.*)$/s.exec(text) ?? [];
  if (name === undefined) throw new UsageError(`--variant takes NAME='ARGS', not "${text}"`);
  return { name, args: words(args) };
}

/** Words as a shell would take them apart: quotes keep spaces. */
export function words(text) {
  return [...text.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map(([, a, b, c]) => a ?? b ?? c);
}
