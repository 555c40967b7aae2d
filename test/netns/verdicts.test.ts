import { it } from "vitest";
import { Inside } from "./inside.ts";
it("x", async () => {
  const inside = new Inside(new URL("./verdict-scenarios.ts", import.meta.url));
  try { console.log(JSON.stringify(await inside.run("tryIt"), null, 1)); } finally { inside.remove(); }
});
