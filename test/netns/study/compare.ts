/**
 * Output in meaning: what differs from one run to the next is taken out on both sides, what the study shows and what is
 * here; and what differs on purpose is said, by a name that examples/study/README.md explains.
 */
import { expect } from "vitest";
import { NODES } from "../../../src/lab/study/plan.ts";
import type { StudyLab } from "../../../src/lab/study/study-lab.ts";

/** What is not as in the study, by the name under which the README says why. */
export type Difference =
  | "a TAP"
  | "rows in poplin"
  | "flannel runs already"
  | "no Kubernetes"
  | "no container"
  | "plugins are links";

export interface Case {
  /** True: before pod-1 and pod-2 are there, as in the study. */
  readonly early?: boolean;
  /** What is done before. */
  readonly first?: (study: StudyLab) => Promise<unknown>;
  /** What the study shows, in meaning. */
  readonly shows?: readonly string[];
  /** The order is the kernel's own, and means nothing. */
  readonly anyOrder?: boolean;
  /** Other lines here than in the study: the study's one, ours instead, why. */
  readonly differs?: readonly (readonly [string, readonly string[], Difference])[];
  /** Where whole lines are not the point. @returns which difference it has seen; null: none */
  readonly check?: (output: string, study: StudyLab) => Promise<Difference | null> | Difference | null;
}

/** Lines of an output, comparable. @param macs the study's MAC of a VTEP by ours */
export function inMeaning(output: string, macs: ReadonlyMap<string, string> = new Map()): string[] {
  return output
    .split("\n")
    .map((line) =>
      plain(line)
        .replace(
          /\b[\da-f]{2}(?::[\da-f]{2}){5}\b/g,
          (mac) => macs.get(mac) ?? (STAYS.has(mac) ? mac : "MAC"),
        )
        .replace(/\b8000\.[\da-f]{12}\b/g, "8000.MAC")
        .replace(/\bfe80::[\da-f:]+\/64/g, "LINK-LOCAL")
        .replace(/^\d+: /, "")
        .replace(/@if\d+/g, "@if")
        .replace(/\bveth[\da-f]{8}\b/g, "veth")
        .replace(/ link-netns(?:id)? \S+/, " link-netns")
        .replace(/ proto kernel_ll/, "")
        .replace(/time=[\d.]+ ms/, "time")
        .replace(/ = [\d.]+(?:\/[\d.]+){3} ms/, ""),
    )
    .filter((line) => line !== "");
}

/** Without colours, which `ip -c` has in pipes, too, and with single spaces. */
export function plain(text: string): string {
  return text.replace(COLOURS, "").replace(/\s+/g, " ").trim();
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: that is what a colour begins with
const COLOURS = /\u001b\[[\d;]*m/g;

/** MACs that say something themselves. */
const STAYS = new Set([...NODES.map(({ vtepMac }) => vtepMac), "ff:ff:ff:ff:ff:ff"]);

/** The study's MAC of each node's VTEP, by the one that the node has here. */
export async function vtepMacs(study: StudyLab): Promise<Map<string, string>> {
  const pairs = study.nodes.map(async (node) => {
    const { mac } = (await node.status()).device;
    return [mac, node.plan.vtepMac] as const;
  });
  return new Map(await Promise.all(pairs));
}

/** @returns which differences there are */
export async function compare(one: Case, output: string, study: StudyLab): Promise<readonly Difference[]> {
  const { shows, anyOrder = false, differs = [], check } = one;
  const other = (await check?.(output, study)) ?? null;
  const seen = other === null ? [] : [other];
  if (shows === undefined) return seen;
  for (const [theirs] of differs) expect(shows, "what differs is in the study").toContain(theirs);
  const expected = shows.flatMap((line) => differs.find(([theirs]) => theirs === line)?.[1] ?? [line]);
  const ours = inMeaning(output, await vtepMacs(study));
  expect(anyOrder ? ours.sort() : ours).toEqual(anyOrder ? expected.sort() : expected);
  return [...seen, ...differs.map(([, , why]) => why)];
}
