/** Reads the rules of both firewalls, and asks what they do with a packet. Nothing is set, nothing is loaded. */
import { runCommand } from "../../host/command.ts";
import type { Met } from "../evidence.ts";
import { blockedByIptables, savedTables } from "../firewall/iptables.ts";
import { blockedByNft } from "../firewall/nft.ts";
import type { Blocked, Packet } from "../firewall/packet.ts";

/** What this node's firewall does with packets, at one moment. */
export interface Ruleset {
  blocked(packet: Packet): Blocked | null;
}

/** The second is there where the first stands for iptables-nft. */
const PROGRAMS = {
  4: ["iptables", "iptables-legacy"],
  6: ["ip6tables", "ip6tables-legacy"],
} as const;

export async function readRuleset(families: readonly (4 | 6)[]): Promise<Ruleset> {
  const saved = await Promise.all(
    families.flatMap((family) =>
      PROGRAMS[family].map(async (program) => ({ family, program, text: await saveOf(program) })),
    ),
  );
  const nft = parsed(await output("nft", ["-j", "list", "ruleset"]));
  // What iptables-nft keeps is in nft's list, too, and iptables knows more about it.
  const kept = saved.flatMap(({ family, text }) =>
    savedTables(text).map((name) => `${family === 4 ? "ip" : "ip6"} ${name}`),
  );
  return {
    blocked: (packet) =>
      saved
        .filter(({ family }) => family === packet.family)
        .map(({ text, program }) => blockedByIptables(text, packet, program))
        .find((one) => one !== null) ?? blockedByNft(nft, packet, kept),
  };
}

/** @param before the same question, before packets were sent */
export function metBetween(before: Blocked | null, after: Blocked | null): Met | null {
  if (after === null) return null;
  const known = before?.rule === after.rule && before.packets !== null && after.packets !== null;
  return { ...after, grew: known ? after.packets! - before.packets! : null };
}

function saveOf(program: string): Promise<string> {
  return output(`${program}-save`, ["-c"]);
}

/** @returns "" where the program is not there, or may not look */
async function output(program: string, args: readonly string[]): Promise<string> {
  try {
    const { status, stdout } = await runCommand(program, args, { why: "", remedy: "" });
    return status === 0 ? stdout : "";
  } catch {
    return "";
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
