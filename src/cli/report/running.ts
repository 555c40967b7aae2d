/** The agent as a process: how it was started, in which environment, and what of that is secret. From /proc. */
import { readFileSync, readlinkSync } from "node:fs";
import { Command } from "commander";
import { parse } from "yaml";
import type { ConfigSources, Profile } from "../../agent/config/load.ts";
import { parseFlanneldFlags } from "../../agent/flannel/flags.ts";
import { withSources } from "../config.ts";
import { isSecretName, type Secret } from "./redact.ts";

/** Where the kubelet puts a pod's token. */
const ACCOUNT_TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount/token";

export interface Running {
  readonly pid: number;
  /** Its command line. */
  readonly words: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Whether it sees another network than we do. */
  readonly elsewhere: boolean;
  /** Unit of systemd that it runs in; null where it runs in none. */
  readonly unit: string | null;
  /** File that its log goes to; null where it goes elsewhere. */
  readonly log: string | null;
}

/** @throws Error where /proc does not show that process to us, or another one has that pid here */
export function readRunning(pid: number): Running {
  const list = (name: string): string[] =>
    readFileSync(`/proc/${pid}/${name}`, "utf8")
      .split("\0")
      .filter((one) => one !== "");
  const words = list("cmdline");
  // The agent's own namespace of pids may be another: then this is a stranger, and its secrets are none of ours.
  if (commandAt(words) < 0)
    throw new Error(`process ${pid} is no agent here: it may run in a container of its own`);
  const env = list("environ").map((one): [string, string] => {
    const [name, ...value] = one.split("=");
    return [name!, value.join("=")];
  });
  const network = (of: number | "self"): string => readlinkSync(`/proc/${of}/ns/net`);
  const log = readlinkSync(`/proc/${pid}/fd/2`);
  return {
    pid,
    words,
    env: Object.fromEntries(env),
    elsewhere: network(pid) !== network("self"),
    unit: /\/([^/\n]+\.service)$/m.exec(readFileSync(`/proc/${pid}/cgroup`, "utf8"))?.[1] ?? null,
    log: /^\/(?!dev\/|proc\/)/.test(log) ? log : null,
  };
}

/** A command line of poplin's without what stands before its command, and without that. */
export interface Started {
  readonly profile: Profile;
  readonly args: readonly string[];
}

/** @returns how an agent was started; "agent", with no flags, where no command of poplin's is among the words */
export function startedAs(words: readonly string[]): Started {
  const at = commandAt(words);
  if (at < 0) return { profile: "agent", args: [] };
  const command = words[at];
  return {
    profile: command === "agent" || command === "vtep" ? command : "flannel",
    args: words.slice(at + 1),
  };
}

function commandAt(words: readonly string[]): number {
  return words.findIndex((word) => word === "agent" || word === "vtep" || /(^|\/)flanneld$/.test(word));
}

/** What an agent that was started so makes its configuration of. */
export function sourcesOf({ profile, args }: Started, env: NodeJS.ProcessEnv): ConfigSources {
  if (profile === "flannel") {
    const { config } = parseFlanneldFlags(args, env).flags;
    return { profile, env, path: config === "" ? null : config, flags: {} };
  }
  const command = withSources(new Command()).allowUnknownOption().allowExcessArguments().exitOverride();
  command.configureOutput({ writeErr: () => {} });
  const options = command.parse(args, { from: "user" }).opts<Record<string, unknown>>();
  const { config, profile: _, ...flags } = options;
  return { profile, env, path: (config as string | undefined) ?? null, flags };
}

/** @returns the kubeconfig that a node of a flannel cluster was told to take; null where it was told of none */
export function kubeconfigOf({ profile, args }: Started, env: NodeJS.ProcessEnv): string | null {
  return profile === "flannel" ? parseFlanneldFlags(args, env).flags["kubeconfig-file"] || null : null;
}

/** Files whose text is a configuration or has credentials, as the command line and the environment name them. */
export interface NamedFiles {
  readonly config: string | null;
  readonly kubeconfig: string | null;
}

/** Every secret that can be known: in the environment, on the command line, and in the files that are named there. */
export function secretsOf(
  words: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  files: NamedFiles,
): Secret[] {
  const found: Secret[] = Object.entries(env)
    .filter(([name]) => isSecretName(name))
    .map(([name, value = ""]) => ({ name, value }));
  for (const [i, word] of words.entries()) {
    const { flag = "", value = words[i + 1] ?? "" } =
      /^--?(?<flag>[^=]+)(?:=(?<value>.*))?$/s.exec(word)?.groups ?? {};
    if (isSecretName(flag)) found.push({ name: flag, value });
  }
  for (const text of [...words, ...Object.values(env)])
    for (const [, password] of (text ?? "").matchAll(/:\/\/[^/\s@]*?:([^@\s/]+)@/g))
      found.push(...[password!, decoded(password!)].map((value) => ({ name: "password of a URL", value })));
  for (const file of [files.config, files.kubeconfig]) if (file !== null) found.push(...secretsIn(file));
  try {
    found.push({ name: "token of the service account", value: readFileSync(ACCOUNT_TOKEN, "utf8").trim() });
  } catch {
    // No pod.
  }
  return found;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Values of a YAML or JSON file whose keys say that they are secret; none where it cannot be read. */
function secretsIn(file: string): Secret[] {
  const found: Secret[] = [];
  const walk = (value: unknown, name: string): void => {
    if (typeof value === "object" && value !== null)
      for (const [key, inner] of Object.entries(value)) walk(inner, Array.isArray(value) ? name : key);
    else if (isSecretName(name)) found.push({ name, value: String(value) });
  };
  try {
    walk(parse(readFileSync(file, "utf8")), "");
  } catch {
    // The report says of the file itself why it is not there.
  }
  return found;
}
