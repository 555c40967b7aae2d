/** `poplin events`: what happens in the running agent, a line each, as `bridge monitor` and `ip monitor` print it. */
import { Command } from "commander";
import type { AgentEvent } from "../agent/api/agent-view.ts";
import { type ClientOptions, clientFor, print, withJson, withSocket } from "./client.ts";
import { CliError, EXIT } from "./errors.ts";

export function eventsCommand(): Command {
  const command = new Command("events")
    .description(
      "Print what happens from now on, a line each, until Ctrl-C or the agent's end: misses, where the settings " +
        "l2miss and l3miss are on. With -j each line is a JSON object.",
    )
    .addHelpText("after", EXAMPLE);
  withJson(withSocket(command)).action(follow);
  return command;
}

const EXAMPLE = `
Example:
  poplin events | while read -r type address rest; do
    [ "$type" = l3miss ] || continue
    poplin neigh replace "$address" lladdr "$(look_up "$address")"
  done`;

async function follow(options: ClientOptions): Promise<void> {
  for await (const event of await clientFor(options).events()) {
    if (isDropped(event)) continue; // nobody asked for those
    print([options.json ? JSON.stringify(event) : eventLine(event)]);
  }
  throw new CliError(EXIT.notReachable, "the agent has ended", "start it again, and this command");
}

/** What is told of drops. */
export type Dropped = Extract<AgentEvent, { type: "drop" | "drops" }>;

export function isDropped(event: AgentEvent): event is Dropped {
  return event.type === "drop" || event.type === "drops";
}

/** An event in a line: its type first, then what it is about. */
export function eventLine(event: Exclude<AgentEvent, Dropped>): string {
  switch (event.type) {
    case "l2miss":
      return `l2miss lladdr ${event.mac} vni ${event.vni} dev ${event.dev}`;
    case "l3miss":
      return `l3miss ${event.address} vni ${event.vni} dev ${event.dev}`;
    case "lost":
      return `lost ${event.count}`;
  }
}
