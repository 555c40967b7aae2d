/** Standard error as what it may be: pipe, socket and file, with readers that read and that do not. */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, constants, mkdtempSync, openSync, readFileSync, readSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { openPort } from "../../../src/agent/logging/stderr.ts";
import { built, describeWith, shim } from "../../helpers/needs.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "poplin-log-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const LINE = Buffer.from(`${"x".repeat(999)}\n`);

/** Writes until nothing is taken. @returns bytes that were */
function fill(port: { write(bytes: Uint8Array): number }): number {
  for (let total = 0; ; ) {
    const taken = port.write(LINE);
    if (taken <= 0) return total;
    total += taken;
  }
}

it("a pipe that is full takes nothing, and goes on when somebody has read", () => {
  const path = join(folder, "pipe");
  execFileSync("mkfifo", [path]);
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const writer = openSync(path, constants.O_WRONLY);
  const port = openPort(writer);
  const total = fill(port);
  expect(total).toBeGreaterThan(4096);
  expect(port.write(LINE)).toBe(0);
  expect(readSync(reader, Buffer.alloc(total))).toBe(total);
  expect(port.write(LINE)).toBe(LINE.length);
  // What shares the descriptor still waits, as it wants to: only ours does not.
  const flags = readFileSync(`/proc/self/fdinfo/${writer}`, "utf8");
  expect(Number.parseInt(/^flags:\s+(\d+)/m.exec(flags)![1]!, 8) & constants.O_NONBLOCK).toBe(0);
  closeSync(reader);
  expect(port.write(LINE)).toBe(-1);
  port.close();
  closeSync(writer);
});

it("a file gets all, behind what is there", () => {
  const path = join(folder, "file");
  const fd = openSync(path, "a");
  const port = openPort(fd);
  expect([port.write(LINE), port.write(LINE)]).toEqual([1000, 1000]);
  port.close();
  closeSync(fd);
  expect(readFileSync(path)).toHaveLength(2000);
});

it("a disk that is full loses the line, and no more", () => {
  const fd = openSync("/dev/full", "w");
  expect(openPort(fd).write(LINE)).toBe(LINE.length);
  closeSync(fd);
});

describeWith([shim(), built()], "a socket, as journald gives a service", () => {
  it("that nobody reads takes nothing more, and one whose reader is gone is given up", async () => {
    // `stdio: "pipe"` is a pair of Unix sockets in Node; 3 is the child's end.
    const script = `
      const { openPort } = await import("./dist/agent/logging/stderr.js");
      const port = openPort(3);
      const line = Buffer.alloc(1000, 120);
      let total = 0;
      for (let n; (n = port.write(line)) > 0; ) total += n;
      console.log(total, port.write(line));
      process.stdin.once("data", () => { console.log(port.write(line)); process.exit(); });`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
      stdio: ["pipe", "pipe", "inherit", "pipe"],
    });
    const [first] = (await once(child.stdout!, "data")) as [Buffer];
    const [total, then] = first.toString().split(" ").map(Number);
    expect(total).toBeGreaterThan(4096);
    expect(then).toBe(0);
    child.stdio[3]!.destroy();
    child.stdin!.write("go");
    const [second] = (await once(child.stdout!, "data")) as [Buffer];
    expect(Number(second)).toBe(-1);
  });
});
