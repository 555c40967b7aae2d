/**
 * An agent with as many underlays as the file in its first argument lists, a JSON array of configurations. SIGHUP has it
 * read the file again and take all of it over. It says on standard output when it forwards, and what came of each SIGHUP.
 */
import { readFileSync } from "node:fs";
import { Agent } from "../../dist/agent/agent.js";
import { resolveConfig } from "../../dist/agent/config/load.js";
import { Log } from "../../dist/agent/log.js";

function configOf(settings) {
  const { config, problems } = resolveConfig({ file: { name: "dual", text: JSON.stringify(settings) } });
  if (config === null) throw new Error(JSON.stringify(problems));
  return config;
}

function load() {
  return { configs: JSON.parse(readFileSync(process.argv[2], "utf8")).map(configOf), warnings: [] };
}

const told = new Promise((resolve) => process.once("SIGTERM", () => resolve(null)));
const agent = await Agent.start(load, new Log("info"));
console.log("forwarding");
process.on("SIGHUP", async () => {
  const error = await agent.update().catch((error) => error);
  console.log(error === undefined ? "updated" : `not all updated: ${error.message}`);
});
const failure = await Promise.race([told, agent.failed]);
await agent.stop();
if (failure !== null) throw failure;
