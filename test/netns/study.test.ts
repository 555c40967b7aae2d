/** The cluster of the study: it has the study's addresses, and its pods reach each other and the world. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { ping } from "../../src/lab/ping.ts";
import { WORLD } from "../../src/lab/study/plan.ts";
import { StudyLab } from "../../src/lab/study/study-lab.ts";
import { cniPlugins, describeWith, lab, tool } from "../helpers/needs.ts";

describeWith([lab(), cniPlugins(), tool("ping"), tool("iptables")], "the study's cluster", () => {
  let study: StudyLab;
  beforeAll(async () => {
    study = await StudyLab.start();
    await study.addStudyPods();
  });
  afterAll(() => study?.destroy());

  it("gives pods the study's addresses", async () => {
    for (const [name, address] of [
      ["pod-1", "10.244.1.2/24"],
      ["pod-2", "10.244.2.5/24"],
    ] as const) {
      const { stdout } = await study.pod(name).exec("ip", ["-br", "-4", "addr", "show", "eth0"]);
      expect(stdout.trim().split(/\s+/).at(-1)).toBe(address);
    }
  });

  it("lets them reach each other, and the world, which knows no way to pods", async () => {
    const pod = study.pod("pod-1");
    for (const address of ["10.244.2.5", "10.244.0.0", WORLD]) {
      expect([address, (await ping(pod, address)).answered]).toEqual([address, 3]);
    }
  });
});
