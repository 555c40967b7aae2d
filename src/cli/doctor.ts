/** `poplin doctor`: what is wrong with this node, how that is known, and what to type. */
import { Command } from "commander";
import { loadConfig } from "../agent/config/load.ts";
import type { Report } from "../doctor/check.ts";
import { examineNode, examineStart } from "../doctor/doctor.ts";
import {
  type ClientOptions,
  clientFor,
  print,
  printJson,
  stdoutStyle,
  withJson,
  withSocket,
} from "./client.ts";
import { EXIT } from "./errors.ts";
import { doctorJson, renderDoctor } from "./render-doctor.ts";

/** Where container runtimes look. */
const CNI_FOLDER = "/etc/cni/net.d";

interface DoctorOptions extends ClientOptions {
  readonly pre?: boolean;
  readonly config?: string;
  readonly verbose?: boolean;
  readonly all?: boolean;
  readonly cniDir: string;
}

export function doctorCommand(): Command {
  const command = new Command("doctor")
    .description(
      "Look at this host and its agent, and say what is wrong: what was seen, why it matters, what to type, and how " +
        "doctor made sure. Peers are pinged; nothing is changed. Exits with 1 when something does not work, with 4 when " +
        "a capability is missing.",
    )
    .option("--pre", "before there is an agent: can one run here?")
    .option("-c, --config <FILE>", "with --pre: the configuration that the agent will have")
    .option("--cni-dir <FOLDER>", "where the container runtime reads its configuration", CNI_FOLDER)
    .option("-v, --verbose", "list what is fine, too")
    .option("--all", "the same");
  withJson(withSocket(command)).action(doctor);
  return command;
}

async function doctor(options: DoctorOptions): Promise<void> {
  const report = options.pre ? await beforeAgent(options) : await withAgent(options);
  const all = options.verbose === true || options.all === true;
  if (options.json) printJson(doctorJson(report, all));
  else print(renderDoctor(report, all, stdoutStyle()));
  process.exitCode = exitCodeFor(report);
}

function beforeAgent({ config: path = undefined }: DoctorOptions): Promise<Report> {
  const { config } = loadConfig({ path: path ?? null, env: process.env, flags: {} });
  return examineStart(config);
}

function withAgent(options: DoctorOptions): Promise<Report> {
  return examineNode(clientFor(options), options.cniDir);
}

/** A missing capability has a code of its own: what else is wrong may only seem so. */
function exitCodeFor({ findings }: Report): number {
  if (findings.some(({ code }) => code === "no-net-admin")) return EXIT.permission;
  return findings.some(({ severity }) => severity === "error") ? EXIT.failed : EXIT.ok;
}
