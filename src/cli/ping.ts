/** `poplin ping <peer>`: names the layer that fails. */
import { Command } from "commander";
import { SCHEMA } from "../agent/api/schema.ts";
import { failing, judgeLayers } from "../doctor/ping/layers.ts";
import { measure, type PingOptions } from "../doctor/ping/run.ts";
import { describeTargets, findTarget } from "../doctor/ping/target.ts";
import {
  type ClientOptions,
  clientFor,
  print,
  printJson,
  stdoutStyle,
  withJson,
  withSocket,
  withVni,
} from "./client.ts";
import { CliError, EXIT } from "./errors.ts";
import { numberOf } from "./number-of.ts";
import { renderPing } from "./render-ping.ts";
import { wholeOption } from "./whole-option.ts";

interface PingFlags extends ClientOptions {
  readonly count: number;
  readonly interval: string;
  readonly timeout: string;
  readonly mtu: boolean;
}

export function pingCommand(): Command {
  const command = new Command("ping")
    .argument("<peer>", "its public IP, VTEP MAC, subnet, an address in its subnet, or the name of its lease")
    .description(
      "Ping a peer layer by layer, beside the running agent: its host on the underlay, its VXLAN port, VXLAN itself, an " +
        "address inside; and measure the path MTU. Exits with 1 when a layer fails, and says which, why, and what to type.",
    )
    .option("-c, --count <N>", "echo requests of each layer", wholeOption(1, 1000), 3)
    .option("-i, --interval <SECONDS>", "between two of them", "0.2")
    .option("-W, --timeout <SECONDS>", "how long an answer is waited for", "1")
    .option("--no-mtu", "do not measure the path MTU");
  withJson(withVni(withSocket(command))).action(ping);
  return command;
}

async function ping(word: string, flags: PingFlags): Promise<void> {
  const options = optionsOf(flags);
  const client = clientFor(flags);
  const status = await client.status();
  if (status.state === "starting") {
    throw new CliError(EXIT.failed, "the agent is still starting", "look at its log, and try again");
  }
  const vni = flags.vni === undefined ? undefined : numberOf("--vni", flags.vni, 0, 0xffffff);
  const target = findTarget(word, status, vni);
  if (target === null) {
    throw new CliError(EXIT.usage, `no peer is called "${word}"`, describeTargets(status));
  }
  const evidence = await measure(client, status, target, options).catch(explained);
  const layers = judgeLayers(evidence);
  const failed = failing(layers);
  if (flags.json) {
    const { overlay, ...peer } = target;
    const { device } = overlay;
    const { mtu, counted } = evidence;
    printJson({
      ...{ schema: SCHEMA, ok: failed === undefined, failing: failed?.name ?? null },
      ...{ peer, device: device.name, vni: device.vni, layers, mtu, counted },
    });
  } else print(renderPing(target, evidence.port, layers, stdoutStyle()));
  process.exitCode = failed === undefined ? EXIT.ok : EXIT.failed;
}

/** What a person gives in seconds. @throws CliError */
function optionsOf({ count, interval, timeout, mtu }: PingFlags): PingOptions {
  return {
    count,
    interval: numberOf("--interval", interval, 0, 60) * 1000,
    timeout: numberOf("--timeout", timeout, 0.01, 60) * 1000,
    mtu,
  };
}

/** @throws the error, in words where it is about a missing right */
function explained(error: NodeJS.ErrnoException): never {
  if (error.code !== "EACCES" && error.code !== "EPERM") throw error;
  const message = "echo requests may not be sent: the capability CAP_NET_RAW is missing";
  throw new CliError(EXIT.permission, message, "run it as root: `sudo poplin ping …`", error);
}
