/** `poplin report` as a process: what is in the archive, and that a secret which was planted is nowhere in it. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { openSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { healthyStatus } from "../agent/api/fake-agent.ts";
import { textsIn } from "../helpers/archive.ts";
import { CommandLine } from "./command.ts";

let cli: CommandLine;
let file: string;

beforeEach(() => {
  cli = new CommandLine();
  file = join(cli.folder, "report.tar.gz");
});

afterEach(() => cli.close());

function contents(): Map<string, string> {
  return textsIn(file);
}

/** The archive must be one for tar(1), too. */
function listed(): string[] {
  return execFileSync("tar", ["-tzf", file], { encoding: "utf8" }).trim().split("\n");
}

describe("without an agent", () => {
  it("has what there is, and says of the rest why it is not there", async () => {
    const { code, stdout, stderr } = await cli.poplin(`report -o ${file}`);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout.replace(/\s+/g, " ")).toContain("Read it before you send it");
    expect(stdout).toContain(file);
    const texts = contents();
    expect(texts.get("versions.txt")).toContain(`node ${process.version}`);
    const index = texts.get("index.md")!;
    expect(index).toMatch(/^- status\.json .*: no agent is running here/m);
    expect(index).toMatch(/^- config-file\.yaml .*: none is known: name it with --config$/m);
    for (const [name, text] of texts) {
      if (name !== "index.md") expect(index).toContain(`| ${name} | `);
      expect(text).not.toBe("");
    }
    expect(listed()).toHaveLength(texts.size);
  });

  it("is its owner's alone, and never written over a file that is there", async () => {
    expect((await cli.poplin(`report -o ${file}`)).code).toBe(0);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const again = await cli.poplin(`report -o ${file}`);
    expect([again.code, again.stderr]).toEqual([1, expect.stringContaining("is there already")]);
    const nowhere = await cli.poplin(`report -o ${join(cli.folder, "none", "x.tar.gz")}`);
    expect([nowhere.code, nowhere.stderr]).toEqual([1, expect.stringContaining("cannot write")]);
  });

  it("a configuration that cannot be used is told with its mistakes", async () => {
    const config = join(cli.folder, "node.yaml");
    writeFileSync(config, "vni: many\n");
    await cli.poplin(`report -o ${file} --config ${config}`);
    expect(contents().get("config.yaml")).toContain("node.yaml:1:6");
    expect(contents().get("config-file.yaml")).toBe("vni: many\n");
  });
});

describe("with an agent", () => {
  /** Planted wherever something secret may stand; none is a part of another, or of anything else. */
  const SECRETS = {
    line: "pla-on-the-line-1",
    variable: 'pla "variable" 2/ü',
    url: "pla-url-3",
    foreign: "pla-foreign-4",
    token: "pla-token-5-abcdef",
    ours: "pla-ours-6",
  };
  let agent: ChildProcess;

  /** A process with a node's command line, environment and log, in whose name the API answers. */
  async function plant(): Promise<void> {
    const kubeconfig = join(cli.folder, "kubeconfig");
    const config = join(cli.folder, "node.yaml");
    const log = join(cli.folder, "agent.log");
    writeFileSync(kubeconfig, JSON.stringify({ users: [{ name: "n", user: { token: SECRETS.token } }] }));
    writeFileSync(config, `senderCheck: mac\n# as etcd has it: ${SECRETS.line}\n`);
    const all = Object.values(SECRETS).filter((value) => value !== SECRETS.ours);
    writeFileSync(
      log,
      all.map((value) => `error: ${value} and ${Buffer.from(value).toString("base64")}\n`).join(""),
    );
    const words = [
      "--etcd-password",
      SECRETS.line,
      `--etcd-endpoints=http://root:${SECRETS.url}@10.9.8.7:2379`,
    ];
    agent = spawn(
      process.execPath,
      ["-e", "setInterval(() => {}, 1000)", "flanneld", ...words, `--kubeconfig-file=${kubeconfig}`],
      {
        env: { FLANNELD_ETCD_PASSWORD: SECRETS.variable, NODE_NAME: "n", DATABASE: SECRETS.foreign },
        stdio: ["ignore", "ignore", openSync(log, "a")],
      },
    );
    cli.atEnd(() => agent.kill("SIGKILL"));
    await once(agent, "spawn");
    const health = [{ level: "error", message: `etcd: ${SECRETS.line}`, remedy: null }] as const;
    const loaded = { file: config, loadedAt: "2026-11-20T00:00:00.000Z", lastReload: null };
    cli.agent.answer = async () => healthyStatus({ pid: agent.pid!, health, config: loaded });
    await cli.startAgent();
  }

  it("a planted secret is nowhere in it, in no spelling", async () => {
    await plant();
    const env = { POPLIN_TEST_TOKEN: SECRETS.ours };
    cli.agent.steps = [`ip link set ${SECRETS.ours}`];
    const { code } = await cli.poplin(`report -o ${file}`, { env });
    expect(code).toBe(0);
    const texts = contents();
    const all = [...texts.values()].join("\n");
    for (const value of Object.values(SECRETS)) {
      const spellings = [value, JSON.stringify(value).slice(1, -1), encodeURIComponent(value)];
      // What nobody could know to be secret has no value in the report; in a log it stands as it is.
      if (value === SECRETS.foreign) expect(texts.get("process.txt")).not.toContain(value);
      else
        for (const text of [...spellings, Buffer.from(value).toString("base64")])
          expect(all.includes(text), text).toBe(false);
    }
    // They were looked for where they are.
    for (const name of ["process.txt", "log.txt", "status.json", "config-file.yaml", "plan.json"])
      expect(texts.get(name), name).toContain("[redacted");
    expect(texts.get("index.md")).toMatch(/^- etcd-password: \d+ times$/m);
  });

  it("has the configuration with origins, what the API says, and each overlay's counters", async () => {
    await plant();
    cli.agent.count("txFrames", 42);
    await cli.poplin(`report -o ${file}`);
    const texts = contents();
    expect(texts.get("config.yaml")).toMatch(/^senderCheck: mac +# \S+node\.yaml:1:\d+$/m);
    expect(JSON.parse(texts.get("stats.json")!)).toMatchObject({ "flannel.1": { txFrames: 42 } });
    expect(JSON.parse(texts.get("fdb.json")!)).toEqual([]);
    expect(texts.get("process.txt")).toContain("DATABASE (value left out)");
    expect(texts.get("process.txt")).toContain("  NODE_NAME=n");
  });

  it("--anonymize: no address of the node's is in it", async () => {
    await plant();
    const { code } = await cli.poplin(`report -j --anonymize -o ${file}`);
    expect(code).toBe(0);
    const texts = contents();
    const all = [...texts.values()].join("\n");
    for (const address of ["172.19.0.3", "172.19.0.4", "10.244.2.0", "10.9.8.7", "aa:bb:cc:00:00:03"])
      expect(all.includes(address), address).toBe(false);
    const { peers } = JSON.parse(texts.get("status.json")!) as ReturnType<typeof healthyStatus>;
    const [first, second] = peers.map(({ publicIp }) => publicIp.split(".").slice(0, 3).join("."));
    expect(first).toBe(second);
    expect(peers[0]!.subnets[0]).toMatch(/^10\.\d+\.\d+\.0\/24$/);
  });

  it("-j says what is in it", async () => {
    await cli.startAgent();
    const { stdout } = await cli.poplin(`report -j -o ${file}`);
    const { items, bytes } = JSON.parse(stdout);
    expect(bytes).toBe(statSync(file).size);
    expect(items).toContainEqual({ file: "fdb.json", about: "the forwarding table", size: 3, reason: null });
  });
});
