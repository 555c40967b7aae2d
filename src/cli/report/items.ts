/** What is in a report: files, what each is, and how it is had. What cannot be had is a line in the index. */
import { arch, version as kernelVersion, release } from "node:os";
import { loadConfig } from "../../agent/config/load.ts";
import { ConfigError, formatProblem } from "../../agent/config/problems.ts";
import { showConfig } from "../../agent/config/show.ts";
import { version } from "../../agent/version.ts";
import { threadRights } from "../../host/capabilities.ts";
import { threadTimes } from "../../host/threads.ts";
import { loadShim } from "../../io/linux/shim.ts";
import { configLines } from "../render-config.ts";
import { networkItems } from "./network-items.ts";
import { type Running, sourcesOf, startedAs } from "./running.ts";
import type { Item, Scene } from "./scene.ts";
import { fileText, output } from "./sources.ts";

export function itemsOf(scene: Scene): Item[] {
  return [
    ...versionItems(),
    ...agentItems(scene),
    ...configItems(scene),
    ...networkItems(scene),
    ...logItems(scene),
  ];
}

function versionItems(): Item[] {
  return [
    {
      file: "versions.txt",
      about: "poplin, Node, kernel, distribution, iproute2",
      text: async () => {
        const lines = [
          `poplin ${version()}`,
          `node ${process.version} ${arch()} ${JSON.stringify(process.versions, null, 2)}`,
          `kernel ${release()} ${kernelVersion()}`,
        ];
        for (const more of [() => fileText("/etc/os-release"), () => output("ip", ["-V"])])
          lines.push(
            await Promise.resolve()
              .then(more)
              .catch((error: Error) => error.message),
          );
        return lines.join("\n");
      },
    },
    {
      file: "shim.txt",
      about: "the native shim: whether it loads here, and what it has",
      text: () => `it loads; calls: ${Object.keys(loadShim()).sort().join(", ")}`,
    },
  ];
}

/** @returns what was found. @throws what was found instead */
function there<T>(found: T | Error): T {
  if (found instanceof Error) throw found;
  return found;
}

function json(value: unknown): string {
  return JSON.stringify(value, null, 2);
}

function agentItems({ client, status, running }: Scene): Item[] {
  const asked = (file: string, about: string, ask: () => Promise<unknown>): Item => {
    return { file, about, text: async () => json(there(status) && (await ask())) };
  };
  return [
    asked("status.json", "`poplin status -j`", async () => status),
    asked("stats.json", "`poplin stats -j`, of each device", async () => {
      const devices = there(status).overlays.map(({ device }) => device.name);
      const each = await Promise.all(
        devices.map((dev) => client.stats({ dev }).then((stats) => [dev, stats] as const)),
      );
      return { together: await client.stats(), ...Object.fromEntries(each) };
    }),
    asked("fdb.json", "the forwarding table", () => client.fdb()),
    asked("neigh.json", "the table of neighbours (proxy)", () => client.neighbours()),
    asked("leases.json", "the leases of the flannel cluster", () => client.leases()),
    asked("plan.json", "`poplin reconcile --dry-run`: what is not in place", () => client.plan()),
    {
      file: "process.txt",
      about: "the agent's command line, environment, threads, capabilities and limits",
      text: () => processText(there(running)),
    },
  ];
}

/** Variables that are told with their values; of others the names. */
const TOLD = /^(POPLIN|FLANNELD|NODE|POD|KUBERNETES|UV)_|^(PATH|LANG|LC_ALL|TZ|INVOCATION_ID|NOTIFY_SOCKET)$/;

function processText({ pid, words, env, elsewhere, unit, log }: Running): string {
  const names = Object.keys(env).sort();
  const network = elsewhere ? "another than that of who made this report" : "that of who made this report";
  return [
    `pid ${pid}, unit ${unit ?? "none"}, log ${log ?? "not a file"}`,
    `network namespace: ${network}`,
    `command line: ${words.join(" ")}`,
    "",
    "environment:",
    ...names.map((name) => (TOLD.test(name) ? `  ${name}=${env[name]}` : `  ${name} (value left out)`)),
    "",
    "threads, their CPU seconds and effective capabilities:",
    ...threadTimes(pid).map(({ tid, name, seconds }) => `  ${tid} ${name} ${seconds}`),
    ...threadRights(pid).map(
      ({ tid, uid, effective }) => `  ${tid} user ${uid} ${effective.join(" ") || "none"}`,
    ),
    "",
    fileText(`/proc/${pid}/limits`),
  ].join("\n");
}

function configItems({ running, config }: Scene): Item[] {
  return [
    {
      file: "config-file.yaml",
      about: "the configuration file, as it stands",
      text: () => {
        if (config === null) throw new Error("none is known: name it with --config");
        return fileText(config);
      },
    },
    {
      file: "config.yaml",
      about: "what the configuration comes to, with the origin of each value",
      text: () => configText(running, config),
    },
  ];
}

function configText(running: Running | Error, config: string | null): string {
  const { words, env } = running instanceof Error ? { words: [], env: process.env } : running;
  const sources = sourcesOf(startedAs(words), env);
  const notes = sources.profile === "flannel" ? ["# without what the cluster decides: see status.json"] : [];
  try {
    const { config: loaded } = loadConfig({ ...sources, path: config });
    return [...notes, ...configLines(showConfig(loaded), true, { width: 120, color: false })].join("\n");
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return [...notes, "# it cannot be used:", ...error.problems.map(formatProblem)].join("\n");
  }
}

/** Lines of a journal, and bytes of a file: some days of a calm agent. */
const LINES = "5000";
const UNITS = ["poplin-agent.service", "poplin-flanneld.service"];

function logItems({ running }: Scene): Item[] {
  const known = running instanceof Error ? null : running;
  const units = known?.unit ? [known.unit] : UNITS;
  const journal = ["--no-pager", "--output", "short-iso-precise", "--lines", LINES];
  return [
    {
      file: "journal.txt",
      about: `the journal of ${units.join(", ")}`,
      text: async () => {
        const text = await output("journalctl", [...journal, ...units.flatMap((unit) => ["--unit", unit])]);
        if (/^-- No entries --$/m.test(text))
          throw new Error(`the journal has nothing of ${units.join(", ")}`);
        return text;
      },
    },
    {
      file: "log.txt",
      about: "the file that the agent's standard error goes to",
      text: () => {
        if (known === null) throw new Error("no agent runs that could say where its log is");
        if (known.log === null) throw new Error("the agent's standard error is no file");
        return fileText(known.log);
      },
    },
  ];
}
