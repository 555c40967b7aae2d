/** `poplin complete`: the script that has a shell complete poplin's commands. `complete/words.ts` answers a TAB. */
import { Argument, Command } from "commander";
import { bashScript } from "./complete/bash.ts";

export const SHELLS = ["bash", "zsh", "fish"] as const;
type Shell = (typeof SHELLS)[number];

export function completeCommand(): Command {
  return new Command("complete")
    .description(
      "Print the script with which a shell (bash, zsh or fish) completes commands, options, and what the running " +
        "agent knows.",
    )
    .addArgument(new Argument("<shell>").choices(SHELLS))
    .addHelpText("after", EXAMPLES)
    .action(async (shell: Shell) => {
      if (shell === "bash") process.stdout.write(bashScript("poplin"));
      else {
        const { script } = await import("@bomb.sh/tab");
        script(shell, "poplin", "poplin");
      }
    });
}

const EXAMPLES = `
For this shell, and for good:
  bash  source <(poplin complete bash)
        poplin complete bash > /etc/bash_completion.d/poplin
  zsh   source <(poplin complete zsh)
        poplin complete zsh > /usr/local/share/zsh/site-functions/_poplin
  fish  poplin complete fish | source
        poplin complete fish > ~/.config/fish/completions/poplin.fish`;
