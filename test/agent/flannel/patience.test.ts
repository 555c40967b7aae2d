import { setTimeout } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { Interrupted, patiently, unlessEnded } from "../../../src/agent/flannel/patience.ts";
import { Log } from "../../../src/agent/log.ts";
import { StoreError } from "../../../src/stores/store.ts";

const AWAY = new StoreError("STORE_UNREACHABLE", "nobody listens there", "is etcd running?", true);

function listening() {
  const lines: string[] = [];
  return { lines, log: new Log("info", (line) => lines.push(line.replace(/^\S+ /, "").trimEnd())) };
}

describe("waiting for a store", () => {
  it("tells a reason once, and ends with what works", async () => {
    const { lines, log } = listening();
    let tries = 0;
    const work = async (): Promise<string> => {
      if (++tries < 3) throw AWAY;
      return "there";
    };
    expect(await patiently(work, log, new AbortController().signal)).toBe("there");
    expect(lines).toEqual(["error nobody listens there; is etcd running?; it is tried again each second"]);
  });

  it("ends with what will not pass", async () => {
    const { log } = listening();
    const error = new StoreError("STORE_BAD_OPTION", "no URL");
    const failing = patiently(() => Promise.reject(error), log, new AbortController().signal);
    await expect(failing).rejects.toBe(error);
  });

  it("ends at once when we are told to, also while the store has patience of its own", async () => {
    const { log } = listening();
    const ending = new AbortController();
    const waiting = patiently(() => new Promise<never>(() => {}), log, ending.signal);
    ending.abort();
    await expect(waiting).rejects.toBeInstanceOf(Interrupted);
    await expect(patiently(async () => 1, log, ending.signal)).rejects.toBeInstanceOf(Interrupted);
  });

  it("swallows what fails when nobody waits any more", async () => {
    const ending = new AbortController();
    let fail: (error: Error) => void = () => {};
    const work = new Promise<never>((_, reject) => {
      fail = reject;
    });
    const waiting = unlessEnded(work, ending.signal);
    ending.abort();
    await expect(waiting).rejects.toBeInstanceOf(Interrupted);
    fail(AWAY);
    await setTimeout(0); // vitest fails for a rejection that nobody handles
  });
});
