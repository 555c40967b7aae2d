/** What a lab of the study needs of the machine. */
import { existsSync } from "node:fs";
import { inPath, namespacesMissing } from "../demo/namespace-stage.ts";
import { PLUGINS } from "./node.ts";
import type { StoreKind } from "./store.ts";

const PROGRAMS: readonly (readonly [program: string, by: string])[] = [
  ["iptables", "iptables"],
  ...["unshare", "nsenter", "setpriv"].map((program) => [program, "util-linux"] as const),
];
const ETCD: typeof PROGRAMS = [
  ["etcd", "etcd-server"],
  ["etcdctl", "etcd-client"],
];

/** @returns the first thing that is missing, and what to do about it; null where all is there */
export function studyMissing(store: StoreKind): readonly [what: string, remedy: string] | null {
  const why = namespacesMissing();
  if (why !== null) return [why, "the lab needs a Linux machine of which one is root"];
  for (const [program, by] of [...PROGRAMS, ...(store === "etcd" ? ETCD : [])]) {
    if (!inPath(program)) return [`there is no \`${program}\``, `apt-get install ${by}`];
  }
  const plugin = PLUGINS.names.find((name) => !existsSync(`${PLUGINS.from}/${name}`));
  if (plugin === undefined) return null;
  return [`there is no CNI plugin ${PLUGINS.from}/${plugin}`, "apt-get install containernetworking-plugins"];
}
