/** The plugin as a process. Synchronous throughout: it lives for a moment, and whoever kills it kills it at once. */
import { readFileSync, writeFileSync } from "node:fs";
import { runPlugin } from "./plugin.ts";

const { stdout, stderr = "", status } = runPlugin(process.env, () => readFileSync(0, "utf8"));
if (stderr !== "") writeFileSync(2, stderr);
if (stdout !== "") writeFileSync(1, stdout);
process.exit(status);
