/** What a node and the programs it runs ask of the kernel is what the filter of its systemd unit lets through. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { afterAll, expect, it } from "vitest";
import { describeWith, lab, tool } from "../helpers/needs.ts";
import { until } from "./agents.ts";
import { allKnown, answers, DirectoryLab } from "./flannel/cluster.ts";

const UNIT = new URL("../../deploy/systemd/poplin-flanneld.service", import.meta.url);

/** The system calls of a group of systemd's, with those of the groups in it. */
function callsOf(group: string, groups: ReadonlyMap<string, readonly string[]>): string[] {
  return groups.get(group)!.flatMap((name) => (name.startsWith("@") ? callsOf(name, groups) : [name]));
}

/** Each group with what `systemd-analyze syscall-filter` prints under it. */
function readGroups(): Map<string, string[]> {
  const text = execFileSync("systemd-analyze", ["syscall-filter", "--no-pager"], { encoding: "utf8" });
  const groups = new Map<string, string[]>();
  let members: string[] = [];
  for (const line of text.split("\n")) {
    if (line.startsWith("@")) {
      members = [];
      groups.set(line.trim(), members);
    } else if (/^ +[@\w]/.test(line)) members.push(line.trim());
  }
  return groups;
}

describeWith(
  [lab(), tool("ping"), tool("iptables"), tool("strace"), tool("systemd-analyze")],
  "a flannel node",
  () => {
    const net = new DirectoryLab();
    afterAll(() => net.destroy());

    it("makes no system call that SystemCallFilter of its unit keeps back", async () => {
      const log = net.lab.file("calls");
      const [a, b] = [net.node("node-a"), net.node("node-b")];
      // -D: the node is our child, and the tracer its own.
      a.options = { ...a.options, wrapper: ["strace", "-D", "-f", "-qq", "-e", "signal=none", "-o", log] };
      await Promise.all([a.start(), b.start()]);
      await allKnown([a, b]);
      expect(await answers(a, b.podIp)).toBe(true);
      a.host.ip("link del flannel.1");
      await until("another device", async () => (await a.status()).state === "running");
      expect(await answers(a, b.podIp)).toBe(true);
      await a.poplin(["reconcile"]);
      process.kill((await a.status()).pid, "SIGTERM");
      expect(await a.end()).toBe(0);

      const filter = /^SystemCallFilter=(.*)$/m.exec(readFileSync(UNIT, "utf8"))![1]!.split(" ");
      const groups = readGroups();
      const allowed = new Set(filter.flatMap((group) => callsOf(group, groups)));
      const made = new Set(readFileSync(log, "utf8").match(/(?<=^\d+ +(?:<\.\.\. )?)\w+(?=\(| resumed)/gm));
      expect(made.size).toBeGreaterThan(50);
      expect([...made].filter((name) => !allowed.has(name))).toEqual([]);
    });
  },
);
