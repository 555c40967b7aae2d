/** One thing after the other. */
import { expect, it } from "vitest";
import { Serial } from "../../src/agent/serial.ts";

it("begins with the next when the one before has ended, also where that failed", async () => {
  const serial = new Serial();
  const heard: string[] = [];
  const task = (name: string, fails = false) =>
    serial.run(async () => {
      heard.push(`${name} begins`);
      await new Promise((resolve) => setImmediate(resolve));
      heard.push(`${name} ends`);
      if (fails) throw new Error(name);
      return name;
    });
  const failing = task("a", true);
  const fine = task("b");
  await expect(failing).rejects.toThrow("a");
  expect(await fine).toBe("b");
  void task("c");
  await serial.idle();
  expect(heard).toEqual(["a", "b", "c"].flatMap((name) => [`${name} begins`, `${name} ends`]));
});
