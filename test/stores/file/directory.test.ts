/** Whole files, and the lock. */
import promises, { mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Directory } from "../../../src/stores/file/directory.ts";
import { usual } from "./odd-filesystem.ts";

let directory: Directory;
let lock: string;

beforeEach(async () => {
  directory = new Directory(await mkdtemp(join(tmpdir(), "poplin-directory-")));
  lock = join(directory.path, "lock");
});

afterEach(async () => {
  usual();
  await rm(directory.path, { recursive: true });
});

/** Has the lock look as if its holder had died a minute ago. */
async function leave(text: string): Promise<void> {
  await writeFile(lock, text);
  const at = (await stat(lock)).mtimeMs / 1000 - 60;
  await utimes(lock, at, at);
}

describe("a file", () => {
  const path = (): string => join(directory.path, "file");

  it("is made once, by one of those who try at the same time, and is whole", async () => {
    const others = Array.from({ length: 10 }, () => new Directory(directory.path));
    const made = await Promise.all(others.map((one, i) => one.create(path(), `text ${i}`)));
    const winner = made.findIndex((one) => one.made);
    expect(made.filter((one) => one.made)).toHaveLength(1);
    expect(await readFile(path(), "utf8")).toBe(`text ${winner}`);
    expect(await readdir(directory.path)).toEqual(["file"]);
  });

  it("tells the time at which it was written, by the filesystem's clock", async () => {
    const { now } = await directory.create(path(), "text");
    expect(now).toBe((await stat(path())).mtimeMs);
  });

  it("is made even if the answer was lost, and the link then found by whom it belongs to", async () => {
    const link = promises.link;
    vi.spyOn(promises, "link").mockImplementation(async (from, to) => {
      await link(from, to);
      throw Object.assign(new Error("EEXIST"), { code: "EEXIST" });
    });
    syncBuiltinESMExports();
    expect((await directory.create(path(), "text")).made).toBe(true);
  });

  it("is replaced, and leaves nothing behind where that fails", async () => {
    await directory.replace(path(), "one");
    await directory.replace(path(), "two");
    expect(await readFile(path(), "utf8")).toBe("two");
    await expect(directory.replace(join(directory.path, "gone", "file"), "three")).rejects.toThrow(/ENOENT/);
    expect(await readdir(directory.path)).toEqual(["file"]);
  });
});

describe("the lock", () => {
  it("is had by one at a time", async () => {
    let inside = 0;
    const seen: number[] = [];
    const work = async (): Promise<void> => {
      seen.push(++inside);
      await new Promise((resolve) => setTimeout(resolve, 5));
      inside--;
    };
    await Promise.all(Array.from({ length: 12 }, () => new Directory(directory.path).locked(work)));
    expect(seen).toEqual(Array(12).fill(1));
    expect(await readdir(directory.path)).toEqual([]);
  });

  it("is given back when the work fails", async () => {
    const failing = directory.locked(async () => {
      throw new Error("the work failed");
    });
    await expect(failing).rejects.toThrow("the work failed");
    expect(await readdir(directory.path)).toEqual([]);
  });

  it("is left to whom has taken it for a dead one's", async () => {
    await directory.locked(async () => {
      await rm(lock);
      await writeFile(lock, "another");
    });
    expect(await readFile(lock, "utf8")).toBe("another");
  });

  it("of a dead holder is taken away once, by several that see it", async () => {
    await leave("somebody-1");
    let inside = 0;
    let most = 0;
    const work = async (): Promise<void> => {
      most = Math.max(most, ++inside);
      await new Promise((resolve) => setTimeout(resolve, 20));
      inside--;
    };
    await Promise.all(Array.from({ length: 8 }, () => new Directory(directory.path).locked(work)));
    expect(most).toBe(1);
    expect(await readdir(directory.path)).toEqual([]);
  });

  it("that is new when it was to be taken away as stale is put back", async () => {
    await leave("somebody-1");
    const rename = promises.rename;
    let faster = true;
    vi.spyOn(promises, "rename").mockImplementation(async (from, to) => {
      if (faster && from === lock) {
        faster = false;
        await rm(lock);
        await writeFile(lock, "faster");
      }
      await rename(from, to);
    });
    syncBuiltinESMExports();
    let had = false;
    const waiting = directory.locked(async () => {
      had = true;
    });
    await vi.waitUntil(() => !faster, { timeout: 20_000 });
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect([had, await readFile(lock, "utf8")]).toEqual([false, "faster"]);
    await rm(lock);
    await waiting;
  });
});
