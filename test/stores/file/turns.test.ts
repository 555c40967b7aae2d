import { expect, it } from "vitest";
import { Turns } from "../../../src/stores/file/turns.ts";

const LONG = 20_000;

it("has one piece of work at a time, in the order in which they came, whatever becomes of them", async () => {
  const turns = new Turns();
  const said: string[] = [];
  const work = (name: string) => async (): Promise<string> => {
    said.push(`${name} begins`);
    await new Promise((resolve) => setImmediate(resolve));
    said.push(`${name} ends`);
    if (name === "b") throw new Error("b failed");
    return name;
  };
  const results = await Promise.allSettled(["a", "b", "c"].map((name) => turns.take(work(name), LONG)));
  expect(said).toEqual(["a", "b", "c"].flatMap((name) => [`${name} begins`, `${name} ends`]));
  expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
});

it("gives up on work that hangs, and on what waits behind it, which is then not begun", async () => {
  const turns = new Turns();
  let answer: () => void = () => {};
  const hanging = turns.take(() => new Promise<void>((resolve) => (answer = resolve)), 20);
  let begun = false;
  const behind = turns.take(async () => {
    begun = true;
  }, 20);
  await expect(hanging).rejects.toThrow("has not answered for 0.02 s");
  await expect(behind).rejects.toThrow("has not answered");
  answer();
  expect(await turns.take(async () => "answers again", LONG)).toBe("answers again");
  expect(begun).toBe(false);
});
