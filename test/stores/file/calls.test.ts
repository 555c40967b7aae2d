/** Files of a local filesystem are read in this thread, those of a share in threads of libuv's: nobody sees a difference. */
import { mkdir, mkdtemp, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { formatAttributes } from "../../../src/control/flannel/node-lease.ts";
import { callsFor, IN_THREADS, isRemote } from "../../../src/stores/file/calls.ts";
import { Directory } from "../../../src/stores/file/directory.ts";
import { readEntries } from "../../../src/stores/file/leases.ts";
import { lookAt, readSmall } from "../../../src/stores/file/small-file.ts";
import { attributesOf } from "../../contract/store-world.ts";
import { remote, usual } from "./odd-filesystem.ts";

/** More than are read without a pause. */
const MANY = 500;

let directory: Directory;

beforeEach(async () => {
  directory = new Directory(await mkdtemp(join(tmpdir(), "poplin-calls-")));
  await mkdir(directory.leases);
});

afterEach(async () => {
  usual();
  await rm(directory.path, { recursive: true });
});

function path(key: string): string {
  return join(directory.leases, key);
}

/** All there is, without when it was read. */
async function entries() {
  const read = await readEntries(directory);
  return [...read.values()].map(({ seenAt: _, readAt: __, ...entry }) => entry);
}

it("reads the same either way: leases, and whatever is none", async () => {
  for (let i = 1; i <= MANY; i++) {
    await writeFile(path(`10.${i >> 8}.${i & 255}.0-24`), formatAttributes(attributesOf(1 + (i % 200))));
  }
  await writeFile(path("10.250.1.0-24"), "");
  await mkdir(path("10.250.2.0-24"));
  await symlink("10.0.1.0-24", path("10.250.3.0-24"));
  await symlink("nowhere", path("10.250.4.0-24"));
  await truncate(path("10.0.2.0-24"), 1 << 20);
  const here = await entries();
  expect(await isRemote(directory.leases)).toBe(false);
  remote();
  expect(await isRemote(directory.leases)).toBe(true);
  expect(await entries()).toEqual(here);
  expect(here).toHaveLength(MANY + 4);
  expect(here.filter(({ lease }) => lease !== null)).toHaveLength(MANY - 1);
});

it("says the same of what is gone, or goes between a look and the reading", async () => {
  const here = await callsFor(directory.leases);
  expect(here).not.toBe(IN_THREADS);
  const [key, text] = [path("10.0.1.0-24"), formatAttributes(attributesOf(1))];
  for (const calls of [here, IN_THREADS]) {
    expect(await lookAt(key, "refuse", calls)).toBe(null);
    await writeFile(key, text);
    const about = (await lookAt(key, "refuse", calls))!;
    expect(await readSmall(key, about, "refuse", calls)).toEqual({ text, reason: null });
    await rm(key);
    expect(await readSmall(key, about, "refuse", calls)).toBe(null);
    await symlink("elsewhere", key);
    expect((await readSmall(key, about, "refuse", calls))?.reason).toMatch(/cannot be read/);
    await rm(key);
  }
});
