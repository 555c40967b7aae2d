/** `poplin lease`: the leases of the flannel cluster that the running agent is a node of. */
import { Command } from "commander";
import {
  type ClientOptions,
  clientFor,
  print,
  printJson,
  stdoutStyle,
  withJson,
  withSocket,
} from "./client.ts";
import { leaseLines } from "./render-cluster.ts";

export function leaseCommand(): Command {
  const command = withJson(withSocket(new Command("lease"))).description(
    "Show the leases of the flannel cluster: every node's subnet, public IP and VTEP MAC as they stand in the store, how " +
      "long we have known them, and why one of them is left out.",
  );
  const list = new Command("list").description("List them: this node's, the others', and what is no lease.");
  list.action(async () => {
    const options: ClientOptions = list.optsWithGlobals();
    const leases = await clientFor(options).leases();
    if (options.json) printJson(leases);
    else print(leaseLines(leases, stdoutStyle(), Date.now()));
  });
  command.addCommand(list, { isDefault: true });
  return command;
}
