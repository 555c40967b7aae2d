/** Labs themselves: what they build carries traffic, and nothing of them outlives its owner, however that ends. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterEach, expect, it } from "vitest";
import { Cluster } from "../../src/lab/cluster.ts";
import { iperf } from "../../src/lab/iperf.ts";
import { Lab } from "../../src/lab/lab.ts";
import { addNamespace, listNamespaces, removeNamespaces } from "../../src/lab/netns.ts";
import { ping } from "../../src/lab/ping.ts";
import { demolish, folderOf, namespaceOf, records } from "../../src/lab/registry.ts";
import { describeWith, lab as labNeeds, namespaces, tool } from "../helpers/needs.ts";

const OWNER = fileURLToPath(new URL("./lab-owner.mjs", import.meta.url));

/** What is there of a lab: namespaces, record, folder. */
function remains(id: string): string[] {
  return [
    ...listNamespaces().filter((name) => name.startsWith(namespaceOf(id, ""))),
    ...records()
      .filter((record) => record.id === id)
      .map((record) => `record ${record.id}`),
    ...(existsSync(folderOf(id)) ? [folderOf(id)] : []),
  ];
}

describeWith([namespaces(), tool("ping")], "a cluster of kernel nodes", () => {
  let cluster: Cluster | undefined;
  afterEach(() => cluster?.destroy());

  const cases = [
    { router: false, family: 4 },
    { router: false, family: 6 },
    { router: true, family: 4 },
    { router: true, family: 6 },
  ] as const;
  for (const { router, family } of cases) {
    const needs = router ? [tool("ethtool")] : [];
    const title = `carries full packets over a ${router ? "router" : "switch"} and IPv${family}`;
    describeWith(needs, title, () => {
      it("IPv4 and IPv6 inside", async () => {
        const nodes = ["node-a", "node-b"].map((name) => ({ name, kind: "kernel" as const }));
        cluster = await Cluster.start({ nodes, router, family, ipv6: true });
        const { pod } = cluster.node("node-a");
        const { mtu } = cluster.node("node-b").options;
        for (const [address, headers] of [
          ["10.244.2.2", 28],
          ["fd00:10:244:2::2", 48],
        ] as const) {
          const size = String(mtu - headers);
          const args = ["-M", "do", "-s", size];
          expect((await ping(pod, address, { args })).answered).toBe(3);
        }
      });
    });
  }

  it("a command that fails says so, with what it printed", async () => {
    cluster = Cluster.build({ nodes: [{ name: "node-a", kind: "kernel" }] });
    const { pod } = cluster.node("node-a");
    await expect(pod.exec("sh", ["-c", "echo why >&2; exit 3"])).rejects.toThrow(
      /pod-a: sh .*exit code 3\nwhy/,
    );
    expect((await pod.exec("sh", ["-c", "exit 3"], { check: false })).status).toBe(3);
    await expect(pod.exec("sleep", ["60"], { timeout: 100 })).rejects.toThrow(/more than 100 ms/);
  });

  it("building that fails half-way leaves nothing", () => {
    const before = listNamespaces();
    const long = { name: "a-name-too-long-for-an-interface", kind: "kernel" } as const;
    expect(() => Cluster.build({ nodes: [{ name: "node-a", kind: "kernel" }, long] })).toThrow(/LAB|ip /);
    expect(listNamespaces()).toEqual(before);
  });
});

describeWith([labNeeds()], "whatever becomes of its owner", () => {
  const started: { id: string; owner: ChildProcess }[] = [];
  afterEach(() => {
    for (const { id, owner } of started.splice(0)) {
      owner.kill("SIGKILL");
      demolish(id);
    }
  });

  /** Starts a process that makes a lab with one host, in which a process sleeps. */
  async function owner(
    what: "wait" | "keep" | "throw" | "exit",
  ): Promise<{ id: string; owner: ChildProcess }> {
    const child = spawn(process.execPath, [OWNER, what], { stdio: ["ignore", "pipe", "pipe"] });
    const [id] = await once(child.stdout, "data");
    const one = { id: String(id).trim(), owner: child };
    started.push(one);
    return one;
  }

  async function end({ owner: child }: { owner: ChildProcess }): Promise<void> {
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  }

  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    it(`${signal} takes the lab down, and ends the owner as that signal does`, async () => {
      const one = await owner("wait");
      expect(remains(one.id)).toHaveLength(3);
      one.owner.kill(signal);
      await end(one);
      expect(one.owner.signalCode).toBe(signal);
      expect(remains(one.id)).toEqual([]);
    });
  }

  for (const what of ["throw", "exit"] as const) {
    it(`so does ${what === "throw" ? "an exception that nobody catches" : "a return without destroy()"}`, async () => {
      const one = await owner(what);
      await end(one);
      expect(one.owner.exitCode).toBe(what === "throw" ? 1 : 0);
      expect(remains(one.id)).toEqual([]);
    });
  }

  it("after kill -9 the next start sweeps it up, and nothing else", async () => {
    const [dead, living, kept] = [await owner("wait"), await owner("wait"), await owner("keep")];
    await end(kept);
    dead.owner.kill("SIGKILL");
    await end(dead);
    expect(remains(dead.id)).toHaveLength(3);
    const foreign = `poplin-${dead.id}x-one`;
    addNamespace(foreign);
    try {
      Lab.create().destroy();
      expect(remains(dead.id)).toEqual([]);
      expect(remains(living.id)).toHaveLength(3);
      expect(remains(kept.id)).toHaveLength(3);
      expect(listNamespaces()).toContain(foreign);
    } finally {
      removeNamespaces([foreign]);
    }
  });

  it("a process that got its owner's pid is not taken for it", async () => {
    const lab = Lab.create();
    const { id } = lab;
    const fs = await import("node:fs");
    try {
      const path = `${folderOf(id)}.json`;
      const record = JSON.parse(fs.readFileSync(path, "utf8"));
      fs.writeFileSync(path, JSON.stringify({ ...record, owner: { ...record.owner, start: "1" } }));
      Lab.create().destroy();
      expect(remains(id)).toEqual([]);
    } finally {
      lab.destroy();
    }
  });
});

describeWith([namespaces(), tool("iperf3")], "iperf3", () => {
  let lab: Lab | undefined;
  afterEach(() => lab?.destroy());

  it("runs one test right after the other between the same hosts", async () => {
    lab = Lab.create();
    const host = lab.addHost("both");
    host.ip("link set lo up");
    for (const args of [
      ["-n", "1M"],
      ["-n", "1M", "--reverse"],
      ["-n", "1M"],
    ]) {
      const { end } = await iperf(host, host, "127.0.0.1", args);
      expect(end.sum_sent.bytes).toBeGreaterThanOrEqual(1 << 20);
    }
    expect(host.pids()).toEqual([]);
  });

  it("fails with what it says, and leaves no server", async () => {
    lab = Lab.create();
    const host = lab.addHost("alone");
    await expect(iperf(host, host, "nobody.invalid", [])).rejects.toMatchObject({
      code: "LAB_COMMAND",
      message: expect.stringContaining("alone: iperf3 to nobody.invalid: "),
    });
    expect(host.pids()).toEqual([]);
  });
});

describeWith([labNeeds(), tool("ping")], "ping", () => {
  let cluster: Cluster | undefined;
  afterEach(() => cluster?.destroy());

  it("waits for answers that come late, and counts none that never come", async () => {
    const nodes = [
      { name: "node-a", kind: "poplin" },
      { name: "node-k", kind: "kernel" },
    ] as const;
    cluster = await Cluster.start({ nodes });
    const node = cluster.poplin("node-a");
    // Two requests are answered; the third and its answer wait in the TAP while the agent is stopped.
    const pinged = ping(node.pod, "10.244.2.2", { interval: 0.5 });
    await sleep(750);
    node.signal("SIGSTOP");
    await sleep(1500);
    node.signal("SIGCONT");
    expect((await pinged).answered).toBe(3);

    node.signal("SIGSTOP");
    expect((await ping(node.pod, "10.244.2.2", { count: 2 })).answered).toBe(0);
    node.signal("SIGCONT");
  });
});
