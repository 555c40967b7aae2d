/** `poplin lab` as text: what is there, and what to type. Pure: gives lines. */
import type { Inventory } from "../lab/study/inventory.ts";
import { ETCD, LEASES, WORLD } from "../lab/study/plan.ts";
import { paint, type Style, table, wrap } from "./output.ts";

/**
 * @param agents how each node's agent is
 * @param call how to call a command of the lab: "shell worker" → "poplin lab shell worker"
 */
export function renderLab(
  id: string,
  { store, nodes, pods }: Inventory,
  agents: readonly string[],
  call: (words: string) => string,
  style: Style,
): string[] {
  const where = store === "etcd" ? `in etcd, at ${ETCD.address}` : `in a directory, ${LEASES}`;
  const columns = (titles: readonly string[]) => titles.map((title) => ({ title }));
  const nodeRows = nodes.map(({ name, address, subnet }, i) => [name, address, subnet, agents[i]!]);
  const podRows = pods.map(({ name, address, node }) => [name, address, node]);
  const first = pods.find(({ name }) => name === "pod-2")!.address.split("/")[0];
  const commands: [string, string][] = [
    [call("shell worker"), "a shell on a node"],
    [call(`shell pod-1 -- ping -c 1 ${first}`), "one command, in a pod"],
    [call("shell worker -- poplin status"), "the node's agent"],
    [call("down"), "take it down"],
  ];
  return [
    "",
    ...table(columns(["NODE", "UNDERLAY", "PODS", "AGENT"]), nodeRows, style),
    "",
    ...table(columns(["POD", "ADDRESS", "NODE"]), podRows, style),
    "",
    ...wrap(
      `Each node runs \`poplin flanneld --ip-masq\`; they meet ${where}. ${WORLD} stands for the world outside, ` +
        `behind 172.19.0.1. As network namespaces they are called poplin-${id}-worker and so on.`,
      style.width,
    ),
    "",
    paint(style, "bold", "It stays up. As root:"),
    // A command stands alone on its line and is never broken: it is there to be copied.
    ...commands.flatMap(([command, about]) => [paint(style, "dim", `  # ${about}`), `  ${command}`]),
  ];
}
