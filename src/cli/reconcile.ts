/** `poplin reconcile`: has the agent compare now, instead of within half a minute, or says what it would change. */
import { Command } from "commander";
import { type ClientOptions, clientFor, print, printJson, withJson, withSocket } from "./client.ts";
import { EXIT } from "./errors.ts";
import { plural } from "./output.ts";

/** Milliseconds for an answer: with thousands of peers `ip` has much to do. */
const TIMEOUT = 60_000;

interface ReconcileOptions extends ClientOptions {
  readonly dryRun?: boolean;
}

export function reconcileCommand(): Command {
  const command = new Command("reconcile")
    .description(
      "Have the agent put right now what somebody has changed or taken away: its devices' MAC, MTU and state, " +
        "addresses, neighbours, routes and forwarding rows. It does so every half minute by itself.",
    )
    .option(
      "--dry-run",
      "change nothing and print what would be changed, a step per line in the words of iproute2; exits with 1 when " +
        "there is something",
    );
  withJson(withSocket(command)).action((options: ReconcileOptions) =>
    options.dryRun ? showPlan(options) : reconcile(options),
  );
  return command;
}

async function showPlan(options: ReconcileOptions): Promise<void> {
  const steps = await clientFor(options, TIMEOUT).plan();
  if (options.json) printJson({ steps });
  else print(steps.length === 0 ? ["everything is in place"] : steps);
  process.exitCode = steps.length === 0 ? EXIT.ok : EXIT.failed;
}

async function reconcile(options: ReconcileOptions): Promise<void> {
  const changed = await clientFor(options, TIMEOUT).reconcile();
  if (options.json) printJson({ changed });
  else print([changed === 0 ? "no row had to be changed" : `${plural(changed, "row")} changed`]);
}
