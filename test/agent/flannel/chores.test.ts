import { describe, expect, it } from "vitest";
import { Chores } from "../../../src/agent/flannel/chores.ts";
import { Log } from "../../../src/agent/log.ts";
import { LeaseLost } from "../../../src/stores/store.ts";
import { until } from "../../helpers/until.ts";

function make() {
  const lines: string[] = [];
  const heard: string[] = [];
  const lost: LeaseLost[] = [];
  let wrong: Error | null = null;
  let end: () => void = () => {};
  const slow = async (): Promise<void> => {
    heard.push("slow begins");
    await new Promise<void>((resolve) => {
      end = resolve;
    });
    heard.push("slow ends");
  };
  const quick = async (): Promise<void> => {
    if (wrong !== null) throw wrong;
    heard.push("quick");
  };
  const log = new Log("info", (line) => lines.push(line.replace(/^\S+ /, "").trimEnd()));
  const chores = new Chores(
    {
      slow: { work: slow, trouble: "slow", cured: "fast" },
      quick: { work: quick, trouble: "not all of it is in place", cured: "all of it is in place again" },
    },
    log,
    (error) => lost.push(error),
  );
  const fails = (error: Error | null): void => {
    wrong = error;
  };
  return { chores, lines, heard, lost, fails, end: () => end() };
}

describe("chores", () => {
  it("wait for the start; then come one after the other, and once where they were asked for twice", async () => {
    const { chores, heard, end } = make();
    chores.soon("slow");
    chores.soon("quick");
    expect(heard).toEqual([]);
    chores.start();
    chores.soon("quick");
    await until("it begins", () => heard.length > 0);
    end();
    await until("both are done", () => heard.includes("quick"));
    chores.soon("quick");
    await until("it is done again", () => heard.length === 4);
    expect(heard).toEqual(["slow begins", "slow ends", "quick", "quick"]);
  });

  it("say a reason once, and again when it worked meanwhile; a lost lease is none of the log's", async () => {
    const { chores, lines, heard, lost, fails } = make();
    chores.start();
    const again = async (error: Error | null): Promise<void> => {
      fails(error);
      chores.soon("quick");
      await new Promise((resolve) => setImmediate(resolve));
    };
    for (const error of [new Error("a"), new Error("a"), new Error("b"), null, new Error("b")])
      await again(error);
    const wrong = (text: string): string => `error not all of it is in place: ${text}`;
    expect(lines).toEqual([wrong("a"), wrong("b"), "info  all of it is in place again", wrong("b")]);
    expect(heard).toEqual(["quick"]);
    await again(new LeaseLost("gone"));
    expect([lost.length, lines.length]).toEqual([1, 4]);
  });

  it("are not begun any more after stop", async () => {
    const { chores, heard, end } = make();
    chores.start();
    chores.soon("slow");
    chores.soon("quick");
    chores.stop();
    end();
    await until("what ran has ended", () => heard.includes("slow ends"));
    chores.soon("quick");
    await new Promise((resolve) => setImmediate(resolve));
    expect(heard).toEqual(["slow begins", "slow ends"]);
  });
});
