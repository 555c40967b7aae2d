// node .ci/tally.mjs REPORT STATUS: prints "passed failed" for a run of vitest, from its JSON report and exit status.
// A test that was skipped or is to be written has not passed: it counts as failed, by name. So do a file that could
// not be loaded, a hook that threw, and a run that ended before its report. What failed goes to standard error, each
// with the beginning of its message.
import { readFileSync } from "node:fs";

const [path, status] = process.argv.slice(2);

/** The lines of a message that tell what happened: without the stack, and not the whole of a long one. */
function beginning(message = "") {
  const lines = message.split("\n").filter((line) => !/^\s*at /.test(line));
  return lines.slice(0, 12).join("\n    ").slice(0, 1500);
}

function tally(report) {
  let passed = 0;
  const failures = [];
  for (const { name, status, message, assertionResults } of report.testResults) {
    for (const { fullName, status, failureMessages } of assertionResults) {
      if (status === "passed") passed++;
      else failures.push(`${status}: ${name}: ${fullName}\n    ${beginning(failureMessages?.[0])}`);
    }
    const failedTests = assertionResults.some((one) => one.status === "failed");
    if (status === "failed" && !failedTests) failures.push(`failed: ${name}: ${beginning(message)}`);
  }
  return { passed, failures };
}

let result;
try {
  result = tally(JSON.parse(readFileSync(path, "utf8")));
} catch (error) {
  result = { passed: 0, failures: [`no report: ${error.message}`] };
}
if (status !== "0" && result.failures.length === 0) result.failures.push(`vitest ended with ${status}`);
if (result.passed + result.failures.length === 0) result.failures.push("no test ran");
for (const failure of result.failures) console.error(`  ${failure}`);
console.log(`${result.passed} ${result.failures.length}`);
