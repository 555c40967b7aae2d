/** `poplin lab` as a user runs it: up, in, down, twice, interrupted, and where something is missing. */
import { type SpawnSyncReturns, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { afterEach, expect, it } from "vitest";
import { POPLIN } from "../../src/lab/agent-process.ts";
import { listNamespaces } from "../../src/lab/netns.ts";
import { isAlive } from "../../src/lab/owner.ts";
import { demolish, folderOf, records, sweep } from "../../src/lab/registry.ts";
import { readInventory } from "../../src/lab/study/inventory.ts";
import { cniPlugins, describeWith, lab, tool } from "../helpers/needs.ts";
import { until } from "./agents.ts";
import { etcdNeeds } from "./flannel/etcd.ts";

/** Beside one that somebody may have up. */
const NAME = `test-${process.pid}`;

function poplinLab(args: readonly string[], through: readonly string[] = []): SpawnSyncReturns<string> {
  const [first, ...rest] = args;
  const [command, ...words] = [...through, process.execPath, POPLIN, "lab", first!, "--name", NAME, ...rest];
  return spawnSync(command!, words, { encoding: "utf8", timeout: 60_000 });
}

function ids(): string[] {
  return records()
    .filter(({ name }) => name === NAME)
    .map(({ id }) => id);
}

function remains(id: string): string[] {
  const spaces = listNamespaces().filter((name) => name.startsWith(`poplin-${id}-`));
  // Commands of the lab name its folder, or have its namespaces.
  const { stdout } = spawnSync("pgrep", ["-f", `/run/poplin/labs/${id}/|poplin-${id}-`], {
    encoding: "utf8",
  });
  return [...spaces, ...stdout.split("\n").filter(Boolean), ...(existsSync(folderOf(id)) ? ["folder"] : [])];
}

describeWith([lab(), cniPlugins(), tool("ping"), tool("iptables"), tool("pgrep")], "poplin lab", () => {
  afterEach(() => {
    for (const id of ids()) demolish(id);
  });

  it("up, in, up again, down: what it prints works, and nothing is left", async () => {
    const up = poplinLab(["up"]);
    expect([up.status, up.stderr]).toEqual([0, ""]);
    expect(up.stdout.split("\n").filter((line) => line.length > 80 && !line.startsWith("  "))).toEqual([]);
    expect(up.stdout).toMatch(/^pod-1 +10\.244\.1\.2\/24 +worker$/m);
    expect(up.stdout).toMatch(/^pod-2 +10\.244\.2\.5\/24 +worker2$/m);
    expect(up.stdout.match(/ running$/gm)).toHaveLength(3);
    const [id] = ids();
    // Who starts something else meanwhile leaves it alone.
    expect(sweep()).not.toContain(id);

    const inits = readInventory(id!)!.nodes.map(({ init }) => init);
    expect(inits.map(isAlive)).toEqual([true, true, true]);

    const [shell, ping, status, down] = up.stdout.split("It stays up.")[1]!.match(/^ {2}(?!#| #).+$/gm)!;
    expect(run(ping!)).toMatchObject({ status: 0, stdout: expect.stringContaining("ttl=62") });
    expect(run(status!).stdout).toContain("flannel.1");
    const typed = run(shell!, "hostname; poplin status -j; exit 7\n");
    expect(typed.status).toBe(7);
    expect(typed.stdout).toMatch(/^worker\n\{[\s\S]*"publicIp": "172\.19\.0\.3"/);
    expect(poplinLab(["shell", "pod-1", "--", "hostname"]).stdout).toBe("pod-1\n");
    // Each is a command of its own, on the same node.
    poplinLab(["shell", "worker", "--", "touch", "/root/vxlan.pcap"]);
    expect(poplinLab(["shell", "worker", "--", "ls", "/root/vxlan.pcap"]).status).toBe(0);
    expect(poplinLab(["shell", "worker2", "--", "ls", "/root/vxlan.pcap"]).status).not.toBe(0);
    // What is left where one stands is the node's, too.
    expect(poplinLab(["shell", "worker", "--", "pwd"]).stdout).toBe("/root\n");
    const nobody = poplinLab(["shell", "pod-9"]);
    expect(nobody.stderr).toMatch(/there is no node or pod "pod-9"\n {2}→ there are control-plane, /);

    poplinLab(["shell", "worker", "--", "pkill", "flanneld"]);
    const again = poplinLab(["up"]);
    expect([again.status, again.stdout.split("\n")[0]]).toEqual([0, expect.stringContaining("up already")]);
    expect(again.stdout).toMatch(/^worker .* no agent$/m);
    expect(poplinLab(["up", "--store", "etcd"])).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/up already, with store file\n {2}→ take it down first: .*lab down/),
    });

    expect(run(down!)).toMatchObject({ status: 0, stdout: "the lab is taken down\n" });
    expect(remains(id!)).toEqual([]);
    // They are killed by then, and buried a moment later.
    await until("the end of the nodes", () => !inits.some(isAlive));
    expect(poplinLab(["down"])).toMatchObject({ status: 1, stderr: expect.stringContaining("no lab") });
    const gone = poplinLab(["shell", "worker"]);
    expect([gone.status, gone.stderr]).toEqual([1, expect.stringMatching(/→ build it: .* lab up/)]);
  });

  for (const [signal, moment] of [
    ["SIGINT", "making three nodes"],
    ["SIGTERM", "making pod-1"],
  ] as const) {
    it(`${signal} while it is ${moment} takes everything down`, async () => {
      const child = spawn(process.execPath, [POPLIN, "lab", "up", "--name", NAME], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      let output = "";
      for await (const chunk of child.stdout) {
        output += chunk;
        if (output.includes(moment)) break;
      }
      const [id] = ids();
      child.kill(signal);
      await once(child, "exit");
      expect(child.signalCode).toBe(signal);
      expect(ids()).toEqual([]);
      expect(remains(id!)).toEqual([]);
    });
  }

  it("says what is missing before it makes anything", () => {
    const without = (place: string): string[] => {
      return ["unshare", "--mount", "sh", "-c", `mount -t tmpfs none ${place} && exec "$@"`, "sh"];
    };
    const noPlugins = poplinLab(["up"], without("/usr/lib/cni"));
    expect(noPlugins).toMatchObject({ status: 1, stdout: "" });
    expect(noPlugins.stderr).toMatch(/no CNI plugin \/usr\/lib\/cni\/bridge\n {2}→ apt-get install/);
    expect(poplinLab(["up"], without("/dev/net")).stderr).toContain("there is no /dev/net/tun");
    const nobody = ["unshare", "--user", "--map-user=1000"];
    for (const command of [["up"], ["down"], ["shell", "worker"]]) {
      expect(poplinLab(command, nobody)).toMatchObject({
        status: 4,
        stderr: expect.stringContaining("root"),
      });
    }
    expect(ids()).toEqual([]);
  });

  describeWith(etcdNeeds(), "over etcd", () => {
    it("has the same addresses, and leases that a flannel node would read", () => {
      expect(poplinLab(["up", "--store", "etcd"])).toMatchObject({ status: 0, stderr: "" });
      const [id] = ids();
      const pinged = poplinLab(["shell", "pod-1", "--", "ping", "-c", "1", "10.244.2.5"]);
      expect(pinged.stdout).toContain("ttl=62");
      const leases = poplinLab(["shell", "worker", "--", "poplin", "lease", "list"]);
      expect(leases.stdout).toMatch(/^10\.244\.0\.0\/24 +172\.19\.0\.4 /m);
      expect(poplinLab(["down"]).status).toBe(0);
      expect(remains(id!)).toEqual([]);
    });
  });
});

/** A line that the lab printed to be copied, typed in a shell. */
function run(line: string, input?: string): SpawnSyncReturns<string> {
  return spawnSync("sh", ["-c", line], { encoding: "utf8", timeout: 60_000, input });
}
