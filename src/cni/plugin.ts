/**
 * The CNI plugin `flannel`: what a container runtime calls for each pod. It makes no interface itself, it has another
 * plugin do that, as this node's subnet.env says.
 *
 *   ADD      conf + subnet.env → delegate's conf → kept → delegate ADD → its result
 *   CHECK    kept conf → delegate CHECK
 *   DEL      kept conf → delegate DEL → forgotten, if that has succeeded; nothing kept: nothing to do
 *   STATUS   whether subnet.env is there; VERSION; GC has nothing to do
 *
 * Who kills it at any moment finds all of it taken away after the DEL that a runtime owes each ADD: the conf is kept
 * before the delegate runs, and forgotten after it has deleted.
 */
import { type Call, readCall } from "./call.ts";
import { type FlannelConf, parseConf, readObject } from "./conf.ts";
import { runDelegate } from "./delegate.ts";
import { type DelegateConf, delegateConf } from "./delegate-conf.ts";
import { CNI_CODE, CniError, errorResult } from "./error.ts";
import { readPodNetwork } from "./pod-network.ts";
import { withGateways } from "./prev-result.ts";
import type { State } from "./state.ts";
import { awaitUnfinished } from "./unfinished.ts";
import { assertSupported, atLeast, NEWEST, SUPPORTED, UNSAID } from "./version.ts";

/** What the process prints and how it ends. */
export interface Outcome {
  readonly stdout: string;
  readonly stderr?: string;
  readonly status: number;
}

interface Command {
  readonly since: (typeof SUPPORTED)[number];
  run(env: NodeJS.ProcessEnv, conf: FlannelConf): string;
}

const COMMANDS: Readonly<Record<string, Command>> = {
  ADD: { since: "0.1.0", run: (env, conf) => add(readCall("ADD", env, conf)) },
  DEL: { since: "0.1.0", run: (env, conf) => del(readCall("DEL", env, conf)) },
  CHECK: { since: "0.4.0", run: (env, conf) => check(readCall("CHECK", env, conf)) },
  STATUS: { since: "1.1.0", run: (_env, conf) => status(conf) },
  GC: { since: "1.1.0", run: () => "" },
};

/**
 * Does what a runtime asks for. Never throws.
 * @param stdin read only where there is something to read
 */
export function runPlugin(env: NodeJS.ProcessEnv, stdin: () => string): Outcome {
  const command = env.CNI_COMMAND ?? "";
  if (command === "") return { stdout: "", stderr: ABOUT, status: 0 };
  if (command === "VERSION") {
    return outcome({ cniVersion: NEWEST, supportedVersions: SUPPORTED });
  }
  let version: string = NEWEST;
  try {
    const text = stdin();
    version = versionOf(text);
    return { stdout: dispatch(command, version, env, text), status: 0 };
  } catch (error) {
    return outcome(errorResult(error, version), 1);
  }
}

const ABOUT = `CNI plugin flannel, of poplin: a container runtime calls it, with CNI_COMMAND and a network configuration
CNI versions supported: ${SUPPORTED.join(", ")}
`;

function outcome(result: object, status = 0): Outcome {
  return { stdout: `${JSON.stringify(result)}\n`, status };
}

/** Before all else: answers and errors are in the configuration's version. */
function versionOf(text: string): string {
  const { cniVersion = UNSAID } = readObject(text);
  assertSupported(cniVersion);
  return cniVersion as string;
}

function dispatch(name: string, version: string, env: NodeJS.ProcessEnv, text: string): string {
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command === undefined) throw new CniError(CNI_CODE.environment, `unknown CNI_COMMAND: ${name}`);
  if (!atLeast(version, command.since)) {
    const details = `${name} is there from version ${command.since} on`;
    throw new CniError(CNI_CODE.version, `a configuration of CNI ${version} allows no ${name}`, details);
  }
  return command.run(env, parseConf(text));
}

function add({ env, conf, path, state }: Call): string {
  const delegate = delegateConf(conf, readPodNetwork(conf.subnetFile));
  state.save(delegate);
  const result = runDelegate(delegate, env, path);
  state.done();
  return result;
}

function check({ env, conf, container, path, state }: Call): string {
  const delegate = kept(state, conf);
  if (delegate === null) {
    throw new CniError(CNI_CODE.config, `container ${container} was not added: there is no ${state.path}`);
  }
  return runDelegate(withResult(delegate, conf.prevResult && withGateways(conf.prevResult)), env, path);
}

function del({ env, conf, container, ifname, path, state }: Call): string {
  const delegate = kept(state, conf);
  if (delegate !== null) {
    if (state.isUnderWay) awaitUnfinished(container, ifname);
    runDelegate(withResult(delegate, conf.prevResult), env, path);
  }
  state.remove();
  return "";
}

/**
 * What was kept; null where nothing was. Where it is broken, which no ADD of ours leaves, it is what an ADD would
 * delegate now; null where that is not known either: a pod has to be able to go.
 */
function kept(state: State, conf: FlannelConf): DelegateConf | null {
  const text = state.read();
  if (text === null) return null;
  try {
    const json = readObject(text);
    if (typeof json.type === "string") return json as DelegateConf;
  } catch {
    // A disk that was full, or a power cut.
  }
  try {
    return delegateConf(conf, readPodNetwork(conf.subnetFile));
  } catch {
    return null;
  }
}

/** The delegate sees what the runtime remembers of ADD, as it would if the runtime called it itself. */
function withResult(delegate: DelegateConf, prevResult: FlannelConf["prevResult"]): DelegateConf {
  return prevResult === undefined ? delegate : { ...delegate, prevResult };
}

/** Without subnet.env no pod can be added. */
function status({ subnetFile }: FlannelConf): string {
  try {
    readPodNetwork(subnetFile);
    return "";
  } catch (error) {
    const { message, details } = error as CniError;
    throw new CniError(CNI_CODE.unavailable, message, details, error);
  }
}
