/** The folder of the leases, with whatever somebody may put there. */
import { execFileSync } from "node:child_process";
import { chmod, mkdir, mkdtemp, rename, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { formatAttributes } from "../../../src/control/flannel/node-lease.ts";
import { Directory } from "../../../src/stores/file/directory.ts";
import { type Entries, type Entry, isSettled, readEntries } from "../../../src/stores/file/leases.ts";
import { attributesOf } from "../../contract/store.contract.ts";
import { describeWith, root, tool } from "../../helpers/needs.ts";

const KEY = "10.244.1.0-24";
const LEASE = formatAttributes(attributesOf(1));
const OTHER = formatAttributes(attributesOf(2));
const NOBODY = 65_534;

let directory: Directory;

beforeEach(async () => {
  directory = new Directory(await mkdtemp(join(tmpdir(), "poplin-leases-")));
  await mkdir(directory.leases);
});

afterEach(() => rm(directory.path, { recursive: true }));

function path(key = KEY): string {
  return join(directory.leases, key);
}

async function only(before?: Entries): Promise<Entry> {
  const entries = [...(await readEntries(directory, before)).values()];
  expect(entries).toHaveLength(1);
  return entries[0]!;
}

/** Writes a file anew and moves it to its place. */
async function replace(text: string): Promise<void> {
  await writeFile(join(directory.path, "whole"), text);
  await rename(join(directory.path, "whole"), path());
}

describe("what is no lease has its reason, and the subnet that it keeps", () => {
  it.each([
    ["nothing in it", "", /empty/],
    ["half a lease", LEASE.slice(0, 40), /no lease/],
    ["no JSON", "\0\x01\xff", /no lease/],
    ["an address that is none", '{"PublicIP": "10.1"}', /no lease/],
    ["more than a lease has", LEASE + " ".repeat(1 << 20), /1048\d{3} bytes/],
  ])("%s", async (_what, text, reason) => {
    await writeFile(path(), text);
    expect(await only()).toMatchObject({
      lease: null,
      subnets: { ipv4: "10.244.1.0/24", ipv6: null },
      reason: expect.stringMatching(reason),
    });
  });

  it("a gigabyte, which is not read", async () => {
    await writeFile(path(), LEASE);
    await truncate(path(), 1 << 30);
    expect((await only()).reason).toMatch(/1073741824 bytes/);
  });

  it("a directory, a socket, a symbolic link", async () => {
    await mkdir(path("10.244.1.0-24"));
    const server = createServer().listen(path("10.244.2.0-24"));
    await symlink(directory.path, path("10.244.3.0-24"));
    const entries = [...(await readEntries(directory)).values()];
    server.close();
    expect(entries.map(({ reason }) => reason)).toEqual(Array(3).fill("it is no file"));
  });

  it("names that name no subnet", async () => {
    for (const name of ["README", "10.244.1.0", "10.244.1.0-33", "10.244.1.0-24~"]) {
      await writeFile(path(name), LEASE);
    }
    const entries = [...(await readEntries(directory)).values()];
    expect(entries.map(({ subnets, lease }) => subnets ?? lease)).toEqual(Array(4).fill(null));
    for (const { reason } of entries) expect(reason).toMatch(/names no subnet/);
  });

  it("a hidden file is nothing at all", async () => {
    await writeFile(path(".10.244.1.0-24.swp"), LEASE);
    expect((await readEntries(directory)).size).toBe(0);
  });

  it("data nested as deep as it can be is refused, and does no harm", async () => {
    const depth = 2000;
    await writeFile(
      path(),
      `{"BackendType": "vxlan", "BackendData": ${"[".repeat(depth)}${"]".repeat(depth)}}`,
    );
    expect((await only()).reason).toMatch(/nested too deep/);
  });
});

describeWith([tool("mkfifo")], "a FIFO in the place of a lease", () => {
  it("is not waited for", async () => {
    execFileSync("mkfifo", [path()]);
    expect((await only()).reason).toBe("it is no file");
  });
});

describeWith([root()], "a file that we may not read", () => {
  it("costs its own node the connection, and can be read again when it may be", async () => {
    await chmod(directory.path, 0o755);
    await writeFile(path(), LEASE, { mode: 0o600 });
    await writeFile(path("10.244.2.0-24"), OTHER);
    process.seteuid!(NOBODY);
    try {
      const entries = await readEntries(directory);
      expect(entries.get(KEY)?.reason).toMatch(/EACCES/);
      expect(entries.get("10.244.2.0-24")?.lease).not.toBe(null);
      process.seteuid!(0);
      await chmod(path(), 0o644);
      process.seteuid!(NOBODY);
      expect((await readEntries(directory, entries)).get(KEY)?.lease?.attributes).toEqual(attributesOf(1));
    } finally {
      process.seteuid!(0);
    }
  });
});

describe("what was read before", () => {
  it.each([
    ["is not read again at once while the file is the same", 0, 0, "what was believed"],
    ["is read once more when the longest tick is over: a change may hide behind its stamp", 2500, 0, null],
    ["is not read again once that has been done", 9000, 2500, "what was believed"],
  ])("%s", async (_, age, readAfter, reason) => {
    await writeFile(path(), LEASE);
    const entry = (await readEntries(directory)).get(KEY)!;
    const seenAt = performance.now() - age;
    const old = { ...entry, reason: "what was believed", seenAt, readAt: seenAt + readAfter };
    const read = (await readEntries(directory, new Map([[KEY, old]]))).get(KEY)!;
    expect(read.reason).toBe(reason);
    expect([read.seenAt, isSettled(read)]).toEqual([seenAt, age > 0]);
  });

  it("is read again when a file was written in place, or replaced by one of the same length", async () => {
    await writeFile(path(), LEASE);
    const first = await readEntries(directory);
    await writeFile(path(), OTHER);
    const second = await readEntries(directory, first);
    expect(second.get(KEY)?.lease?.attributes).toEqual(attributesOf(2));
    await replace(LEASE);
    expect((await only(second)).lease?.attributes).toEqual(attributesOf(1));
  });

  it("holds while a lease is written in place, until it is no lease twice", async () => {
    await writeFile(path(), LEASE);
    const whole = await readEntries(directory);
    await truncate(path());
    const empty = await readEntries(directory, whole);
    expect(empty.get(KEY)).toMatchObject({ lease: { attributes: attributesOf(1) }, reason: null });
    await writeFile(path(), OTHER.slice(0, 30));
    const half = await readEntries(directory, empty);
    expect(half.get(KEY)).toMatchObject({ lease: { attributes: attributesOf(1) }, reason: null });
    const still = await readEntries(directory, half);
    expect(still.get(KEY)).toMatchObject({ lease: null, reason: expect.stringMatching(/no lease/) });
    await writeFile(path(), OTHER);
    expect((await only(still)).lease?.attributes).toEqual(attributesOf(2));
  });

  it("is found although the folder was listed without it", async () => {
    await writeFile(path(), LEASE);
    const entries = await readEntries(directory);
    directory.names = async () => [];
    expect(await readEntries(directory, entries)).toEqual(entries);
  });
});

it("reads 5,000 leases, and looks at them again", async () => {
  const keys = Array.from({ length: 5000 }, (_, i) => `10.${i >> 8}.${i & 255}.0-24`);
  await Promise.all(keys.map((key) => writeFile(path(key), LEASE)));
  const entries = await readEntries(directory);
  const again = await readEntries(directory, entries);
  expect([...entries.values()].every(({ lease }) => lease !== null)).toBe(true);
  expect(again).toEqual(entries);
});
