/** `poplin privileges`: what the running agent may do that others may not, and for what it needs it. */
import { Command } from "commander";
import { threadRights } from "../host/capabilities.ts";
import {
  type ClientOptions,
  clientFor,
  print,
  printJson,
  stdoutStyle,
  withJson,
  withSocket,
} from "./client.ts";
import { EXIT } from "./errors.ts";
import { judge, privilegeLines } from "./render-privileges.ts";

export function privilegesCommand(): Command {
  const command = new Command("privileges").description(
    "Show which capabilities the running agent needs and why, and which of its threads hold more or less. Exits with 1 " +
      "where one is missing.",
  );
  withJson(withSocket(command)).action(async (options: ClientOptions) => {
    const { pid, privileges } = await clientFor(options).status();
    const threads = threadRights(pid);
    const judgement = judge(privileges, threads);
    if (options.json) printJson({ pid, needed: privileges, ...judgement, threads });
    else print(privilegeLines({ pid, needed: privileges, threads }, judgement, stdoutStyle()));
    process.exitCode = judgement.missing.length === 0 ? EXIT.ok : EXIT.failed;
  });
  return command;
}
