/**
 * The study's commands, typed on the lab of the study: what they print is compared in meaning with what the study shows.
 * `study/commands.ts` has every command of the study, `study/cases-*.ts` what it shows, line by line of its text.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { StudyLab } from "../../src/lab/study/study-lab.ts";
import { cniPlugins, describeWith, lab, tool } from "../helpers/needs.ts";
import { CASES, documented } from "./study/cases.ts";
import { COMMANDS } from "./study/commands.ts";
import { compare, type Difference } from "./study/compare.ts";
import { shellOn } from "./study/shell.ts";

const TOOLS = [
  "ping",
  "iptables",
  "brctl",
  "conntrack",
  "tcpdump",
  "tshark",
  "route",
  "lsns",
  "pgrep",
  "stdbuf",
];

describeWith([lab(), cniPlugins(), ...TOOLS.map(tool)], "the study's commands", () => {
  let study: StudyLab;
  const seen = new Set<Difference>();
  beforeAll(async () => {
    study = await StudyLab.start();
  });
  afterAll(() => study?.destroy());

  function each(early: boolean): void {
    for (const { line, at, run } of COMMANDS) {
      const one = CASES[line];
      if (one === undefined || (one.early ?? false) !== early) continue;
      for (const where of at) {
        it(`${where}: ${run} (line ${line})`, async () => {
          await one.first?.(study);
          // A capture would not end by itself: its case runs it.
          const { stdout, stderr } = run.startsWith("tcpdump")
            ? { stdout: "", stderr: "" }
            : await shellOn(study, where, run);
          for (const why of await compare(one, stdout + (stdout === "" ? stderr : ""), study)) seen.add(why);
        });
      }
    }
  }

  describe("before there are pods on worker", () => each(true));
  describe("with pod-1 and pod-2", () => {
    beforeAll(() => study.addStudyPods());
    each(false);
  });

  it("what differs is what examples/study/README.md says, no less and no more", () => {
    expect([...seen].sort()).toEqual(documented());
  });
});
