/** Processes that want a lease at the same moment, on machines whose clocks differ. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, readFile, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterEach, expect, it } from "vitest";
import { formatAttributes, parseAttributes } from "../../../src/control/flannel/node-lease.ts";
import { attributesOf } from "../../contract/store-world.ts";
import { faketime, wrongClock } from "../../helpers/faketime.ts";
import { built, describeWith } from "../../helpers/needs.ts";
import { FileStage } from "./stage.ts";

/** Room for 63 nodes. */
const CONF = '{"Network": "10.244.0.0/18", "SubnetLen": 24, "Backend": {"Type": "vxlan"}}';
const RACER = fileURLToPath(new URL("racer.mjs", import.meta.url));
const DAY = 24 * 3600_000;
const LONG = 120_000;

interface Result {
  readonly keys: string[];
  readonly now: number;
}

/** A process with nodes `first` and following in it. */
class Racer {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  /** @param days by which its clock is off */
  constructor(directory: string, first: number, count: number, days: number) {
    const env = days === 0 ? {} : wrongClock(24 * days);
    this.#child = spawn(process.execPath, [RACER, directory, `${first}`, `${count}`], {
      stdio: ["pipe", "pipe", "inherit"],
      env: { ...process.env, ...env },
    });
    this.#lines = createInterface({ input: this.#child.stdout! })[Symbol.asyncIterator]();
  }

  async line(): Promise<string> {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error("the process has ended");
    return value;
  }

  async go(): Promise<Result> {
    this.#child.stdin!.write("go\n");
    return JSON.parse(await this.line());
  }

  async end(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill("SIGKILL");
    await once(this.#child, "exit");
  }
}

const racers: Racer[] = [];
const stages: FileStage[] = [];

afterEach(async () => {
  await Promise.all(racers.splice(0).map((racer) => racer.end()));
  for (const stage of stages.splice(0)) await stage.close();
});

async function world(): Promise<FileStage> {
  const stage = await FileStage.make(CONF);
  stages.push(stage);
  return stage;
}

async function race(stage: FileStage, starts: readonly [first: number, count: number, days: number][]) {
  const all = starts.map((start) => new Racer(stage.directory, ...start));
  racers.push(...all);
  await Promise.all(all.map((racer) => racer.line()));
  return Promise.all(all.map((racer) => racer.go()));
}

describeWith([built()], "48 nodes in 12 processes", () => {
  it(
    "that acquire at once have 48 different subnets, each its own",
    async () => {
      const stage = await world();
      const results = await race(
        stage,
        Array.from({ length: 12 }, (_, i) => [1 + 4 * i, 4, 0] as const),
      );
      const keys = results.flatMap((result) => result.keys);
      expect(new Set(keys).size).toBe(48);
      const owners = keys.map(
        async (key) => parseAttributes(await readFile(stage.path(key), "utf8")).publicIp,
      );
      expect(await Promise.all(owners)).toEqual(keys.map((_, i) => `192.0.2.${i + 1}`));
      expect((await readdir(stage.directory)).sort()).toEqual(["config", "subnets"]);
    },
    LONG,
  );
});

describeWith([built(), faketime()], "nodes whose clocks are off", () => {
  it(
    "by a week, either way, end no lease that others keep, and those that nobody keeps",
    async () => {
      const stage = await world();
      const kept = ["10.244.40.0-24", "10.244.41.0-24"];
      const left = "10.244.42.0-24";
      for (const [i, key] of [...kept, left].entries()) {
        await stage.write(key, formatAttributes(attributesOf(200 + i)));
      }
      const at = ((await stat(stage.path(left))).mtimeMs - DAY - 60_000) / 1000;
      await utimes(stage.path(left), at, at);
      const results = await race(stage, [
        [1, 2, 7],
        [3, 2, -7],
        [5, 2, 0],
      ]);
      const [ahead, behind, right] = results.map(({ now }) => Math.round((now - Date.now()) / DAY));
      expect([ahead, behind, right! + 0]).toEqual([7, -7, 0]);
      const there = await readdir(join(stage.directory, "subnets"));
      const keys = results.flatMap((result) => result.keys);
      expect(there.sort()).toEqual([...kept, ...keys].sort());
    },
    LONG,
  );
});
