/** A command, as it is typed on a node or in a pod. */
import type { ExecResult } from "../../../src/lab/host.ts";
import { BIN } from "../../../src/lab/study/node.ts";
import type { StudyLab } from "../../../src/lab/study/study-lab.ts";
import type { Where } from "./commands.ts";

export function shellOn(study: StudyLab, where: Where, command: string): Promise<ExecResult> {
  const host = where === "pod-1" ? study.pod(where) : study.node(where).machine;
  const env = { ...process.env, PATH: `${BIN}:${process.env.PATH}`, LC_ALL: "C" };
  return host.exec("bash", ["-c", command], { check: false, env });
}
