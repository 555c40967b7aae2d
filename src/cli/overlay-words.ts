/** Which of an agent's overlays a command means: `dev NAME` or `vni N` among its words, as iproute2 has them, or `--vni N`. */
import type { OverlayChoice } from "../agent/api/agent-view.ts";
import type { AgentStatus, OverlayStatus } from "../agent/api/status-types.ts";
import { CliError, EXIT } from "./errors.ts";

/**
 * Takes the words that choose out of those of a command.
 * @param option the value of `--vni`
 * @throws CliError (usage)
 */
export function chooseOverlay(
  words: readonly string[],
  option?: string,
): { choice: OverlayChoice; rest: string[] } {
  const rest: string[] = [];
  let dev: string | undefined;
  let vni = option;
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!;
    if (word !== "dev" && word !== "vni") {
      rest.push(word);
      continue;
    }
    const value = words[++i];
    if (value === undefined)
      throw new CliError(EXIT.usage, `"${word}" needs a value`, `as: ${word} ${EXAMPLES[word]}`);
    if (word === "dev") dev = value;
    else vni = value;
  }
  return {
    choice: { ...(dev === undefined ? {} : { dev }), ...(vni === undefined ? {} : { vni: vniOf(vni) }) },
    rest,
  };
}

const EXAMPLES = { dev: "flannel.1", vni: "1" } as const;

function vniOf(text: string): number {
  const vni = /^\d{1,8}$/.test(text) ? Number(text) : -1;
  if (vni >= 0 && vni < 2 ** 24) return vni;
  throw new CliError(EXIT.usage, `"${text}" is no VNI`, "write a whole number from 0 to 16777215");
}

/** @returns the overlays that are meant; @throws CliError (usage) when there is none */
export function chosen({ overlays }: AgentStatus, { dev, vni }: OverlayChoice): readonly OverlayStatus[] {
  const found = overlays.filter(
    ({ device }) => (dev === undefined || device.name === dev) && (vni === undefined || device.vni === vni),
  );
  if (found.length > 0) return found;
  const what = [dev === undefined ? "" : `device ${dev}`, vni === undefined ? "" : `VNI ${vni}`];
  const there = overlays.map(({ device }) => `${device.name} (VNI ${device.vni})`).join(", ");
  throw new CliError(
    EXIT.usage,
    `the agent has no overlay with ${what.filter((text) => text !== "").join(" and ")}`,
    `there are: ${there}`,
  );
}

/** For a command that takes no other words. @throws CliError (usage) for one */
export function onlyOverlay(words: readonly string[], option?: string): OverlayChoice {
  const { choice, rest } = chooseOverlay(words, option);
  if (rest.length === 0) return choice;
  throw new CliError(EXIT.usage, `unknown word "${rest[0]}"`, "there are: dev <name>, vni <number>");
}
