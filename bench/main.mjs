/**
 * How poplin compares: with the kernel's VXLAN, with other tunnels, with itself at another commit or with other
 * settings. `npm run bench` calls this after set-up; README.md says how each figure is measured.
 */
import { HELP, parse, SUITES, UsageError } from "./cli/options.mjs";
import { TESTS } from "./tests/index.mjs";

async function main() {
  const options = parse(process.argv.slice(2));
  if (options.help) return console.log(HELP);
  if (options.list) return console.log(names());
  const { bench, redo } = await import("./bench.mjs");
  await (options.from === null ? bench(options) : redo(options));
}

function names() {
  const line = (name, text) => `  ${name.padEnd(10)}${text}`;
  return [
    "suites",
    ...Object.entries(SUITES).map(([name, text]) => line(name, text)),
    "tests",
    ...TESTS.map(({ name, title, shared, quick }) => {
      const where = [shared && "with peers", quick && "quick"].filter(Boolean).join(", ");
      return line(name, `${title}${where && `  (${where})`}`);
    }),
  ].join("\n");
}

try {
  await main();
  process.exit(0);
} catch (error) {
  if (error instanceof UsageError) {
    console.error(`${error.message}\n\`npm run bench -- --help\` shows the options.`);
    process.exit(2);
  }
  console.error(error);
  process.exit(1);
}
