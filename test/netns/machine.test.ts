/** A machine of a lab: what is its own, and that nothing of it is left on the machine around it. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { afterEach, expect, it } from "vitest";
import { Lab } from "../../src/lab/lab.ts";
import { Machine } from "../../src/lab/study/machine.ts";
import { describeWith, namespaces, tool } from "../helpers/needs.ts";
import { until } from "./agents.ts";

describeWith([namespaces(), tool("nsenter"), tool("setpriv"), tool("ps"), tool("pgrep")], "a machine", () => {
  let lab: Lab;
  afterEach(() => lab.destroy());

  async function boot(name: string, shared: Record<string, string> = {}): Promise<Machine> {
    return Machine.boot(lab, lab.addHost(name), { shared });
  }

  it("has a name, processes and directories of its own", async () => {
    lab = Lab.create();
    const [one, two] = [await boot("one"), await boot("two")];
    const files = ["/etc/of-one", "/etc/cni/of-one", "/opt/cni/of-one", "/root/of-one", "/run/of-one"];
    await one.exec("touch", [...files, "/var/lib/cni/of-one", "/run/flannel/of-one"]);
    for (const file of files) {
      expect([file, existsSync(file)]).toEqual([file, false]);
      expect(existsSync(one.path(file))).toBe(true);
      expect(existsSync(two.path(file))).toBe(false);
    }
    // What the machine around it has there, it has as well.
    expect((await one.exec("cat", ["/etc/passwd"])).stdout).toBe(readFileSync("/etc/passwd", "utf8"));
    expect((await one.exec("ls", ["/run/xtables.lock"])).stdout).toBe("/run/xtables.lock\n");
    const around = hostname();
    expect((await two.exec("hostname")).stdout.trim()).toBe("two");
    expect(hostname()).toBe(around);
    const { stdout } = await one.exec("ps", ["-eo", "pid,comm"]);
    expect(stdout).toMatch(/^ +1 sh$/m);
    expect(stdout).not.toContain("node");
    const { stdout: links } = await one.exec("ip", ["-br", "link"]);
    expect(links.trim().split("\n")).toHaveLength(1);
  });

  it("shares the directories that it is told to, and sees pods' namespaces", async () => {
    lab = Lab.create();
    const directory = lab.file("shared");
    mkdirSync(directory);
    const one = await boot("one", { "/run/shared": directory });
    writeFileSync(`${directory}/letter`, "from around");
    expect((await one.exec("cat", ["/run/shared/letter"])).stdout).toBe("from around");
    const pod = lab.addHost("pod");
    expect((await one.exec("ip", ["netns", "exec", pod.namespace, "echo", "there"])).stdout).toBe("there\n");
  });

  it("knows its commands by their own pids, and a command ends with who waits for it", async () => {
    lab = Lab.create();
    const one = await boot("one");
    const child = one.spawn("sleep", ["100"]);
    const pid = await until("the command", async () => {
      const found = one.pidOf(child);
      return (
        found !== undefined &&
        (await one.exec("pgrep", ["-x", "sleep"])).stdout.includes(`${found}\n`) &&
        found
      );
    });
    expect(pid).toBeLessThan(200);
    child.kill("SIGKILL");
    await until("its end", async () => {
      const { stdout } = await one.exec("ps", ["-p", String(pid), "-o", "stat="], { check: false });
      return stdout.trim() === "";
    });
    expect(one.pidOf(child)).toBeUndefined();
    const late = one.exec("sleep", ["101"], { timeout: 200 });
    await expect(late).rejects.toThrow(/one: sleep 101: took more than 200 ms/);
  });

  it("that cannot be made says what was refused, and what it needs", async () => {
    lab = Lab.create();
    await expect(boot("one", { "/run/shared": "/no/such/directory" })).rejects.toMatchObject({
      code: "LAB_UNAVAILABLE",
      message: expect.stringMatching(/one cannot have directories .*no\/such\/directory/s),
      remedy: expect.stringContaining("privileged"),
    });
  });
});
