/** The order of the steps, and which of them a purpose asks for. */
import { buildStep } from "./build.mjs";
import { dependenciesStep } from "./dependencies.mjs";
import { withLock } from "./lock.mjs";
import { fail, INSTALLED, SetupError } from "./run.mjs";
import { shimStep } from "./shim.mjs";
import { systemStep } from "./system.mjs";

const PURPOSES = ["demo", "test", "bench", "ci"];

/** A step: `due()` is quick and changes nothing; `run()` does the work and runs under the lock. */
const STEPS = { dependencies: dependenciesStep, shim: shimStep, build: buildStep };

/** @param {string[]} argv arguments after the script's name */
export async function main(argv) {
  try {
    const { purpose, only } = parse(argv);
    const steps = stepsFor(only);
    // What is built needs compilers; what is there already does not.
    const system = systemStep(purpose, () => ({
      dependencies: steps.includes(dependenciesStep) && dependenciesStep.wantsTools(),
      shim: steps.includes(shimStep) && shimStep.due(),
    }));
    system.advise();
    const all = [system, ...steps];
    if (!all.some((step) => step.due())) return;
    await withLock(async () => {
      // Asked again, one by one: another set-up may have done it meanwhile, and a step can make the next one due.
      for (const step of all) if (step.due()) await step.run();
    });
    // Whoever asks for the shim and nothing else has to hear that there is none.
    if (only === "shim" && shimStep.failed()) process.exitCode = 1;
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    fail(error);
  }
}

function stepsFor(only) {
  if (INSTALLED) {
    if (only === "shim") return [shimStep];
    throw new SetupError(
      "this is an installed package, where the native shim is all there is to build.",
      "Run it with `--only shim`.",
    );
  }
  // Compilers come with the dependencies, so those are never left out.
  return only ? [...new Set([dependenciesStep, STEPS[only]])] : Object.values(STEPS);
}

function parse(argv) {
  const options = { purpose: undefined, only: undefined };
  for (let i = 0; i < argv.length; i++) {
    const [flag, inline] = argv[i].split("=", 2);
    const value = inline ?? argv[++i];
    if (flag === "--for" && PURPOSES.includes(value)) options.purpose = value;
    else if (flag === "--only" && Object.hasOwn(STEPS, value)) options.only = value;
    else {
      throw new SetupError(
        `I do not understand "${flag} ${value ?? ""}".`,
        `usage: node scripts/setup.mjs [--for ${PURPOSES.join("|")}] [--only ${Object.keys(STEPS).join("|")}]`,
      );
    }
  }
  return options;
}
