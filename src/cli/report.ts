/** `poplin report`: one archive with what somebody has to know who is to find out why a node does not work. */
import { closeSync, openSync, writeSync } from "node:fs";
import { Command } from "commander";
import {
  type ClientOptions,
  clientFor,
  print,
  printJson,
  stdoutStyle,
  withJson,
  withSocket,
} from "./client.ts";
import { CliError, EXIT } from "./errors.ts";
import { plural, wrap } from "./output.ts";
import { archiveOf } from "./report/archive.ts";
import { itemsOf } from "./report/items.ts";
import { kubeconfigOf, type Running, readRunning, secretsOf, startedAs } from "./report/running.ts";
import type { Scene } from "./report/scene.ts";

interface ReportOptions extends ClientOptions {
  readonly output?: string;
  readonly config?: string;
  readonly anonymize?: boolean;
}

export function reportCommand(): Command {
  const command = new Command("report")
    .description(
      "Write an archive for a bug report: versions, what the agent says, its configuration, and what the kernel says " +
        "of links, routes, neighbours, firewall and settings. Passwords, tokens and keys are taken out; its index.md says " +
        "what is in it. It works without a running agent, and as root has more. Nothing is sent or changed.",
    )
    .option("-o, --output <file>", "where to (default: poplin-report-TIME.tar.gz, here)")
    .option("-c, --config <file>", "configuration file, where no agent runs that could name it")
    .option(
      "--anonymize",
      "replace IP addresses, MACs and this host's name, the same each time; subnets stay subnets",
    );
  withJson(withSocket(command)).action(report);
  return command;
}

async function report(options: ReportOptions): Promise<void> {
  const now = new Date();
  const folder = `poplin-report-${now.toISOString().slice(0, 19).replace(/[-:]/g, "").replace("T", "-")}`;
  const file = options.output ?? `${folder}.tar.gz`;
  const scene = await sceneOf(options);
  const { words, env } = scene.running instanceof Error ? { words: [], env: {} } : scene.running;
  const named = { config: scene.config, kubeconfig: kubeconfigOf(startedAs(words), env) };
  // Ours, too: who runs this may have set for it what was set for the agent.
  const secrets = [...secretsOf(words, env, named), ...secretsOf([], process.env, named)];
  const { bytes, items } = await archiveOf(itemsOf(scene), {
    folder,
    secrets,
    anonymize: options.anonymize === true,
    now,
  });
  write(file, bytes);
  const missing = items.filter(({ reason }) => reason !== null);
  if (options.json) return printJson({ file, bytes: bytes.length, items });
  const had = plural(items.length - missing.length, "item");
  const has = `${file} has ${had}; ${missing.length} could not be had, and its index.md says why.`;
  const { width } = stdoutStyle();
  print([
    ...wrap(has, width),
    ...wrap(
      "Read it before you send it: passwords, tokens and keys that could be known are taken out, and nobody knows all.",
      width,
    ),
    ...(options.anonymize ? [] : wrap("It has addresses and names: --anonymize replaces them.", width)),
  ]);
}

async function sceneOf(options: ReportOptions): Promise<Scene> {
  const client = clientFor(options);
  const status = await client.status().catch((error: Error) => error);
  const running =
    status instanceof Error ? new Error("no agent answers", { cause: status }) : runningOf(status.pid);
  const known = status instanceof Error ? null : status.config.file;
  return { client, status, running, config: options.config ?? known };
}

function runningOf(pid: number): Running | Error {
  try {
    return readRunning(pid);
  } catch (error) {
    return new Error(`/proc does not show the agent to us: ${(error as Error).message}`, { cause: error });
  }
}

/** Never over a file, nor through a link, that is there: it would keep its mode, and others could read it. */
function write(file: string, bytes: Uint8Array): void {
  try {
    const fd = openSync(file, "wx", 0o600);
    try {
      for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "EEXIST")
      throw new CliError(EXIT.failed, `${file} is there already`, "name another with -o", error);
    const exit = code === "EACCES" || code === "EPERM" ? EXIT.permission : EXIT.failed;
    // Node's sentence, without the call and the name once more.
    const why = message.replace(/, \w+ '.*'$/, "");
    throw new CliError(exit, `cannot write ${file}: ${why}`, "name another place with -o", error);
  }
}
