/** What is special about leases in files. What all stores do: `test/contract/store.test.ts`. */
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rm, stat, symlink, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  formatAttributes,
  type LeaseAttributes,
  type NodeLease,
  type NodeSubnets,
} from "../../../src/control/flannel/node-lease.ts";
import type { FileStore } from "../../../src/stores/file/store.ts";
import type { LeaseLost, StoreError } from "../../../src/stores/store.ts";
import { Heard } from "../../contract/heard.ts";
import { attributesOf, confOf } from "../../contract/store-world.ts";
import { until } from "../../helpers/until.ts";
import { hanging, usual } from "./odd-filesystem.ts";
import { FileStage } from "./stage.ts";

const CONF = '{"Network": "10.244.0.0/22", "SubnetLen": 24, "Backend": {"Type": "vxlan"}}';
const WIDE =
  '{"Network": "10.244.0.0/22", "SubnetLen": 24, "EnableIPv6": true, "IPv6Network": "fd00::/48", "Backend": {"Type": "vxlan"}}';
/** The three subnets that nodes can have. */
const KEYS = ["10.244.1.0-24", "10.244.2.0-24", "10.244.3.0-24"] as const;
const FIRST: NodeSubnets = { ipv4: "10.244.1.0/24", ipv6: null };
/** Seconds: as of files that nobody has renewed in time. */
const OVER_A_DAY = 24 * 3600 + 60;

let stage: FileStage;

beforeEach(async () => {
  stage = await FileStage.make(CONF);
});

afterEach(async () => {
  usual();
  await stage.close();
});

function acquire(
  store: FileStore,
  n: number,
  { previous = null as NodeSubnets | null, conf = CONF, attributes = attributesOf(n) } = {},
): Promise<NodeLease> {
  return store.acquire({ conf: confOf(conf, "picked"), attributes, previous });
}

async function put(key: string, attributes: LeaseAttributes): Promise<void> {
  await stage.write(key, formatAttributes(attributes));
}

/** Has a file look as if it had been written `seconds` ago. */
async function age(path: string, seconds: number): Promise<void> {
  const { mtimeMs } = await stat(path);
  const at = mtimeMs / 1000 - seconds;
  await utimes(path, at, at);
}

function names(): Promise<string[]> {
  return readdir(join(stage.directory, "subnets"));
}

async function failure(of: Promise<unknown>): Promise<StoreError> {
  return (await of.then(
    () => {
      throw new Error("it did not fail");
    },
    (error: unknown) => error,
  )) as StoreError;
}

/** Keeps the lease of a store that watches. */
async function keeping(store: FileStore): Promise<{ lost: LeaseLost[]; said: string[] }> {
  const [lost, said]: [LeaseLost[], string[]] = [[], []];
  store.keep(
    (error) => lost.push(error),
    (line) => said.push(line),
  );
  await Heard.all(store);
  return { lost, said };
}

describe("the directory", () => {
  it("needs nothing in it but the configuration", async () => {
    await rm(join(stage.directory, "subnets"), { recursive: true });
    const store = await stage.open();
    const { key } = await acquire(store, 1);
    expect([await names(), (await readdir(stage.directory)).sort()]).toEqual([[key], ["config", "subnets"]]);
  });

  it("holds leases as flannel writes them, for everybody to read", async () => {
    const { key } = await acquire(await stage.open(), 1);
    expect(await readFile(stage.path(key), "utf8")).toBe(formatAttributes(attributesOf(1)));
    expect((await stat(stage.path(key))).mode & 0o777).toBe(0o644);
  });

  it("may have its configuration behind a symbolic link", async () => {
    await writeFile(join(stage.directory, "net-conf.json"), WIDE);
    await rm(join(stage.directory, "config"));
    await symlink("net-conf.json", join(stage.directory, "config"));
    expect(await (await stage.open()).readNetConf()).toBe(WIDE);
  });

  it("says what is wrong with a configuration that is no file", async () => {
    await rm(join(stage.directory, "config"));
    await mkdir(join(stage.directory, "config"));
    const { code, message } = await failure((await stage.open()).readNetConf());
    expect([code, message]).toEqual(["STORE_BAD_CONFIG", expect.stringMatching(/it is no file/)]);
  });

  it("is left alone where the share is not mounted", async () => {
    await stage.cut();
    await mkdir(stage.directory);
    const store = await stage.open();
    for (const work of [store.readNetConf(), acquire(store, 1)]) {
      expect((await failure(work)).passing).toBe(true);
    }
    expect(await readdir(stage.directory)).toEqual([]);
    await rm(stage.directory, { recursive: true });
    await stage.mend();
  });

  it("costs one thread and fails in words when it does not answer, however often it is asked", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const share = hanging();
    try {
      const store = await stage.open();
      const failures = [1, 2, 3].map(() => failure(acquire(store, 1)));
      await vi.advanceTimersByTimeAsync(60_000);
      for (const { code, message } of await Promise.all(failures)) {
        expect([code, message]).toEqual(["STORE_UNREACHABLE", expect.stringMatching(/has not answered/)]);
      }
      expect(share.waiting).toHaveLength(1);
    } finally {
      vi.useRealTimers();
      share.answer();
    }
  });
});

describe("the lock", () => {
  it("of a holder that died is taken away", async () => {
    const lock = join(stage.directory, "lock");
    await writeFile(lock, "somebody-1");
    await age(lock, 60);
    const stores = await Promise.all([1, 2, 3].map(() => stage.open()));
    const leases = await Promise.all(stores.map((store, i) => acquire(store, i + 1)));
    expect(leases.map(({ key }) => key).sort()).toEqual(KEYS);
    expect(existsSync(lock)).toBe(false);
  });

  it("of one that works is waited for", async () => {
    const lock = join(stage.directory, "lock");
    await writeFile(lock, "somebody-1");
    let had = false;
    const waiting = acquire(await stage.open(), 1).then(() => {
      had = true;
    });
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect([had, await readFile(lock, "utf8"), await names()]).toEqual([false, "somebody-1", []]);
    await rm(lock);
    await waiting;
  });

  it("does not leave what is not whole: what processes that died have left is removed in time", async () => {
    const [old, young] = ["old", "young"].map((name) => join(stage.directory, `.tmp-${name}`)) as [
      string,
      string,
    ];
    await writeFile(old, "");
    await writeFile(young, "");
    await age(old, 2 * 3600);
    const store = await stage.open("node-1", { renewEvery: 20 });
    await acquire(store, 1);
    await keeping(store);
    await until("it is removed", () => !existsSync(old));
    expect(existsSync(young)).toBe(true);
  });
});

describe("a lease that nobody has renewed for a day", () => {
  it("goes when somebody acquires, and its subnet is free for them", async () => {
    for (const [i, key] of KEYS.entries()) await put(key, attributesOf(11 + i));
    const store = await stage.open();
    expect((await failure(acquire(store, 1))).code).toBe("STORE_NO_SUBNET");
    for (const key of KEYS.slice(1)) await age(stage.path(key), OVER_A_DAY);
    const { key } = await acquire(store, 1);
    expect(KEYS.slice(1)).toContain(key);
    expect(await names()).toEqual([KEYS[0], key]);
  });

  it("goes when somebody renews; an own one does not", async () => {
    const store = await stage.open("node-1", { renewEvery: 20 });
    const lease = await acquire(store, 1, { previous: FIRST });
    await put(KEYS[1], attributesOf(2));
    await put(KEYS[2], attributesOf(3));
    const { lost } = await keeping(store);
    const heard = await Heard.all(await stage.open());
    await age(stage.path(lease.key), OVER_A_DAY);
    await age(stage.path(KEYS[1]), OVER_A_DAY);
    await until("it is removed", () => !existsSync(stage.path(KEYS[1])));
    await until("the own one is young", async () => {
      const [own, other] = await Promise.all([lease.key, KEYS[2]].map((key) => stat(stage.path(key))));
      return own!.mtimeMs >= other!.mtimeMs;
    });
    await until("it is told", () => heard.leases.size === 2);
    expect([heard.kinds(KEYS[1]), heard.kinds(lease.key), lost]).toEqual([
      ["added", "removed"],
      ["added"],
      [],
    ]);
  });

  it("is its node's again where nobody has taken it", async () => {
    const first = await stage.open();
    const lease = await acquire(first, 1);
    await first.close();
    await age(stage.path(lease.key), OVER_A_DAY);
    expect(await acquire(await stage.open(), 1)).toEqual(lease);
  });

  it("is a reservation if it is no lease, and stays", async () => {
    for (const key of KEYS) {
      await stage.write(key, "");
      await age(stage.path(key), OVER_A_DAY);
    }
    expect((await failure(acquire(await stage.open(), 1))).code).toBe("STORE_NO_SUBNET");
    expect((await names()).sort()).toEqual(KEYS);
  });

  it("is as old as the filesystem says: a clock that is a week ahead makes none old", async () => {
    await put(KEYS[0], attributesOf(2));
    await put(KEYS[1], attributesOf(3));
    const week = 7 * 24 * 3600_000;
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + week });
    try {
      const { key } = await acquire(await stage.open(), 1);
      expect((await names()).sort()).toEqual([KEYS[0], KEYS[1], key]);
    } finally {
      vi.useRealTimers();
    }
  });
});

describe("a lease that is kept", () => {
  it("is put back at once where somebody removed it, also with the whole folder", async () => {
    const store = await stage.open();
    const lease = await acquire(store, 1);
    const { lost, said } = await keeping(store);
    for (const path of [stage.path(lease.key), join(stage.directory, "subnets")]) {
      await rm(path, { recursive: true });
      await until("it is back", () => existsSync(stage.path(lease.key)));
    }
    expect(await readFile(stage.path(lease.key), "utf8")).toBe(formatAttributes(attributesOf(1)));
    expect(said).toContainEqual(expect.stringMatching(/removed or damaged our lease/));
    expect(lost).toEqual([]);
  });

  it("is written again where somebody damaged it", async () => {
    const store = await stage.open();
    const lease = await acquire(store, 1);
    const { lost } = await keeping(store);
    await stage.write(lease.key, "oops");
    await until("it is whole", async () => (await readFile(stage.path(lease.key), "utf8")) !== "oops");
    expect([await readFile(stage.path(lease.key), "utf8"), lost]).toEqual([
      formatAttributes(attributesOf(1)),
      [],
    ]);
  });

  it("is no loss where somebody wrote the same in other words", async () => {
    const store = await stage.open("node-1", { renewEvery: 20 });
    const lease = await acquire(store, 1);
    const { lost } = await keeping(store);
    const { key, attributes } = lease;
    const pretty = JSON.stringify(JSON.parse(formatAttributes(attributes)), null, 2);
    await stage.write(key, `${pretty}\n`);
    await until("it is renewed", async () => (await readFile(stage.path(key), "utf8")) !== `${pretty}\n`);
    expect(lost).toEqual([]);
  });

  it("is lost where another node has its subnet, and that node is named", async () => {
    const store = await stage.open();
    const lease = await acquire(store, 1);
    const { lost } = await keeping(store);
    await put(lease.key, attributesOf(9));
    await until("the loss is told", () => lost.length > 0);
    expect(lost[0]!.message).toMatch(/leased to another node now: .*192\.0\.2\.9/);
    await store.release();
    expect(await readFile(stage.path(lease.key), "utf8")).toBe(formatAttributes(attributesOf(9)));
  });

  it("is lost where somebody removed it and gave its subnet to a node of both families", async () => {
    const store = await stage.open();
    const lease = await acquire(store, 1, { previous: FIRST });
    const { lost } = await keeping(store);
    await put("10.244.1.0-24&fd00:0:0:5::-64", attributesOf(9, true));
    await stage.remove(lease.key);
    await until("the loss is told", () => lost.length > 0);
    expect(lost[0]!.message).toMatch(/192\.0\.2\.9/);
  });

  it("is lost, in words, to a node with the same public IP", async () => {
    const store = await stage.open();
    const { key } = await acquire(store, 1);
    const { lost } = await keeping(store);
    await acquire(await stage.open(), 1, {
      attributes: { ...attributesOf(2), publicIp: attributesOf(1).publicIp },
    });
    await until("the loss is told", () => lost.length > 0);
    expect(lost.map(({ message }) => message)).toEqual([
      `another node has taken our lease ${key}, with our public IP 192.0.2.1: give each node its own`,
    ]);
  });

  it("survives a share that is away, which is said once", async () => {
    const store = await stage.open("node-1", { renewEvery: 20 });
    const lease = await acquire(store, 1);
    const { lost, said } = await keeping(store);
    await stage.cut();
    await until("it is said", () => said.length > 0);
    await new Promise((resolve) => setTimeout(resolve, 200));
    await stage.mend();
    await until("its end is said", () => said.length > 1);
    expect(said).toEqual([
      expect.stringMatching(/could not be renewed: .*; it is tried again/),
      expect.stringMatching(/is renewed again/),
    ]);
    expect([lost, await names()]).toEqual([[], [lease.key]]);
  });
});

describe("acquire, again", () => {
  it("takes other subnets where another node has got ours, and leaves it those", async () => {
    const store = await stage.open();
    const lease = await acquire(store, 1);
    await put(lease.key, attributesOf(9));
    expect((await acquire(store, 1)).key).not.toBe(lease.key);
    expect(await readFile(stage.path(lease.key), "utf8")).toBe(formatAttributes(attributesOf(9)));
  });

  it("has the same subnets where somebody removed the lease", async () => {
    const store = await stage.open();
    const lease = await acquire(store, 1);
    await stage.remove(lease.key);
    expect(await acquire(store, 1)).toEqual(lease);
  });

  it("takes others for a network that has become another", async () => {
    const store = await stage.open();
    await acquire(store, 1);
    const wide = await acquire(store, 1, { conf: WIDE, attributes: attributesOf(1, true) });
    expect(wide.subnets.ipv6).not.toBe(null);
    expect(await names()).toEqual([wide.key]);
  });
});
