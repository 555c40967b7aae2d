/**
 * The form that `poplin fdb` and `poplin neigh` share: a table of the running agent's, shown by default, and changed by
 * verbs. Words like `dev NAME` and `vni N` may stand anywhere among the others.
 */
import { Command } from "commander";
import type { OverlayChoice } from "../agent/api/agent-view.ts";
import type { ApiClient } from "../agent/api/client.ts";
import { type ClientOptions, withJson, withSocket, withVni } from "./client.ts";
import { CliError, EXIT } from "./errors.ts";
import { chooseOverlay, chosen } from "./overlay-words.ts";

/** A verb that changes one row. */
export interface Verb<Op extends string> {
  readonly op: Op;
  readonly about: string;
  /** The words that it takes. */
  readonly usage: string;
  readonly example: string;
}

export interface TableCommand<Op extends string> {
  readonly name: string;
  /** What the table says. */
  readonly about: string;
  /** The program whose words the list is in. */
  readonly like: string;
  readonly verbs: readonly Verb<Op>[];
  /** Verbs that the command has beside these, for whoever mistypes one. */
  readonly others: readonly string[];
  readonly show: (options: ClientOptions, choice: OverlayChoice) => Promise<void>;
  readonly change: (
    options: ClientOptions,
    op: Op,
    words: readonly string[],
    choice: OverlayChoice,
  ) => Promise<void>;
}

/** @returns the command with `show` and its verbs */
export function tableCommand<Op extends string>(table: TableCommand<Op>): Command {
  const { name, about, like, verbs } = table;
  const command = withVni(withJson(withSocket(new Command(name)))).description(
    `Show or change ${about}. Changes are not written to the configuration: at the agent's next start they are gone.`,
  );
  const show = new Command("show").description(`List the rows, in the words of \`${like}\`.`);
  // As the default it also gets a mistyped verb, which it can name better than "too many arguments".
  show
    .argument("[words...]")
    .usage("[options] [dev <name>]")
    .action((words: string[]) => {
      const options: ClientOptions = show.optsWithGlobals();
      const { choice, rest } = chooseOverlay(words, options.vni);
      if (rest.length > 0) throw unknownWord(rest[0]!, table);
      return table.show(options, choice);
    });
  command.addCommand(show, { isDefault: true });
  for (const { op, about, usage, example } of verbs) {
    const change = new Command(op)
      .description(about)
      .argument("[words...]")
      .usage(usage)
      .addHelpText("after", `\nExample:\n  poplin ${name} ${op} ${example}`);
    change.action((words: string[]) => {
      const options: ClientOptions = change.optsWithGlobals();
      const { choice, rest } = chooseOverlay(words, options.vni);
      return table.change(options, op, rest, choice);
    });
    command.addCommand(change);
  }
  return command;
}

function unknownWord(
  word: string,
  { name, verbs, others }: Pick<TableCommand<string>, "name" | "verbs" | "others">,
): CliError {
  const all = ["show", ...verbs.map(({ op }) => op), ...others];
  const last = all.pop();
  return new CliError(
    EXIT.usage,
    `unknown word "${word}"`,
    `there are: poplin ${name} ${all.join(", ")} and ${last}`,
  );
}

/**
 * Looks whether the agent has what was chosen; it is not asked where nothing was.
 * @returns the choice; @throws CliError (usage) when it has no such overlay
 */
export async function checked(client: ApiClient, choice: OverlayChoice): Promise<OverlayChoice> {
  if (choice.dev !== undefined || choice.vni !== undefined) chosen(await client.status(), choice);
  return choice;
}
