/** What the lab of the study needs beside a lab's needs. */
import { existsSync } from "node:fs";
import { PLUGINS } from "../../../src/lab/study/node.ts";
import type { Need } from "../../helpers/needs.ts";

/** The CNI plugins of Debian's package. */
export function plugins(): Need {
  const all = PLUGINS.names.every((name) => existsSync(`${PLUGINS.from}/${name}`));
  return all ? null : "needs containernetworking-plugins";
}
