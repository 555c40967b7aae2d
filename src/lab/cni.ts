/**
 * A container runtime's part of CNI (the specification's section 3): runs the plugins of a network configuration for a
 * pod, on the node whose namespace they change.
 *
 *   ADD     first → last    each hears what those before it have made (prevResult); the last one's result is kept
 *   CHECK   first → last    each hears the kept result
 *   DEL     last → first    the same; with what ADD was given, even where the file has changed since
 *
 * An ADD that fails is followed by DEL, since nobody else would take away what it has made.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type NetworkConf, type PluginConf, readNetworkConf } from "./cni-conf.ts";
import { type CniResult, type Command, runPlugin } from "./cni-plugin.ts";
import { LabError } from "./errors.ts";
import type { Host } from "./host.ts";

export { CniPluginError, type CniResult } from "./cni-plugin.ts";

export interface CniOptions {
  /** A conflist, a .conf, or a directory, of which the first by name counts. Read at each ADD. */
  readonly conf: string;
  /** Where plugins are: CNI_PATH. Debian's place when left out. */
  readonly bin?: readonly string[];
  /** Directory for results; runtimes have /var/lib/cni. Made where it is missing. */
  readonly cache: string;
  /** Milliseconds for one plugin; 30,000 when left out. */
  readonly timeout?: number;
}

/** How a pod is attached. What is left out at CHECK and DEL is as it was at ADD. */
export interface Attachment {
  /** The pod's namespace's name when left out. */
  readonly containerId?: string;
  /** Name of the interface in the pod: "eth0" when left out. */
  readonly ifname?: string;
  /** CNI_ARGS: `{ K8S_POD_NAME: "web-0" }`. */
  readonly args?: Readonly<Record<string, string>>;
  /** For the plugins that ask for it: `{ portMappings: [{ hostPort: 80, containerPort: 8080, protocol: "tcp" }] }`. */
  readonly capabilities?: Readonly<Record<string, unknown>>;
  /** CNI_NETNS where it is not the pod's: "" at a DEL when the namespace is gone. */
  readonly netns?: string;
  /** False: a failed ADD is not followed by DEL. */
  readonly undo?: boolean;
}

/** All of what an ADD was given, and what came of it. */
interface Call extends Required<Omit<Attachment, "undo">> {
  readonly network: NetworkConf;
  readonly result: CniResult | null;
}

const DEBIAN = "/usr/lib/cni";

export class CniRuntime {
  readonly #node: Host;
  readonly #options: Required<CniOptions>;

  /** @param node in whose namespace plugins run */
  constructor(node: Host, options: CniOptions) {
    this.#node = node;
    this.#options = { bin: [DEBIAN], timeout: 30_000, ...options };
  }

  /** Attaches a pod. @throws CniPluginError, LabError LAB_CNI */
  async add(pod: Host, attachment: Attachment = {}): Promise<CniResult> {
    const network = readNetworkConf(this.#options.conf);
    const call = { ...complete(pod, attachment), network };
    let result: CniResult | null = null;
    try {
      for (const plugin of network.plugins) {
        const said = await this.#run("ADD", plugin, { ...call, result });
        result = resultIn(plugin.type, said);
      }
      if (result === null) throw new LabError("LAB_CNI", `network ${network.name} has no plugins`);
      this.#keep({ ...call, result });
      return result;
    } catch (error) {
      // What went wrong first is what counts; and DEL has to bear that half of it was never made.
      if (attachment.undo !== false) await this.#delete({ ...call, result: null }).catch(() => {});
      throw error;
    }
  }

  /** Looks whether all is as ADD has left it. @throws CniPluginError, LabError LAB_CNI */
  async check(pod: Host, attachment: Attachment = {}): Promise<void> {
    const call = this.#recall(pod, attachment);
    if (call.result === null) throw new LabError("LAB_CNI", `${call.containerId} has not been attached`);
    if (call.network.disableCheck) return;
    for (const plugin of call.network.plugins) await this.#run("CHECK", plugin, call);
  }

  /** Takes away what ADD has made; a second time, or where nothing was made, too. @throws CniPluginError, LabError */
  async del(pod: Host, attachment: Attachment = {}): Promise<void> {
    await this.#delete(this.#recall(pod, attachment));
  }

  async #delete(call: Call): Promise<void> {
    for (const plugin of [...call.network.plugins].reverse()) await this.#run("DEL", plugin, call);
    rmSync(this.#kept(call), { force: true });
  }

  #run(command: Command, plugin: PluginConf, call: Call): Promise<string> {
    const { bin, timeout } = this.#options;
    const env = {
      CNI_CONTAINERID: call.containerId,
      CNI_NETNS: call.netns,
      CNI_IFNAME: call.ifname,
      CNI_ARGS: Object.entries(call.args)
        .map(([key, value]) => `${key}=${value}`)
        .join(";"),
    };
    return runPlugin(this.#node, command, plugin.type, {
      bin,
      timeout,
      env,
      conf: executionConf(plugin, call),
    });
  }

  #kept({ network, containerId, ifname }: Pick<Call, "network" | "containerId" | "ifname">): string {
    return join(this.#options.cache, `${network.name}-${containerId}-${ifname}`);
  }

  #keep(call: Call): void {
    mkdirSync(this.#options.cache, { recursive: true, mode: 0o700 });
    writeFileSync(this.#kept(call), JSON.stringify(call), { mode: 0o600 });
  }

  /** What ADD was given; what is said now where it is not known. */
  #recall(pod: Host, attachment: Attachment): Call {
    const network = readNetworkConf(this.#options.conf);
    const now = { ...complete(pod, attachment), network, result: null };
    try {
      const kept = JSON.parse(readFileSync(this.#kept(now), "utf8")) as Call;
      return { ...kept, ...attachment };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return now;
      throw error;
    }
  }
}

function complete(pod: Host, attachment: Attachment): Required<Omit<Attachment, "undo">> {
  return {
    containerId: pod.namespace,
    ifname: "eth0",
    args: {},
    capabilities: {},
    netns: `/run/netns/${pod.namespace}`,
    ...attachment,
  };
}

/** What a plugin reads: its part of the network's configuration, and what the runtime adds. */
function executionConf({ capabilities = {}, ...conf }: PluginConf, call: Call): object {
  const asked = Object.entries(call.capabilities).filter(([name]) => capabilities[name] === true);
  return {
    ...conf,
    name: call.network.name,
    cniVersion: call.network.cniVersion,
    ...(asked.length > 0 ? { runtimeConfig: Object.fromEntries(asked) } : {}),
    ...(call.result === null ? {} : { prevResult: call.result }),
  };
}

function resultIn(type: string, stdout: string): CniResult {
  try {
    return JSON.parse(stdout) as CniResult;
  } catch {
    throw new LabError("LAB_CNI", `ADD by ${type}: what it printed is no result: ${JSON.stringify(stdout)}`);
  }
}
