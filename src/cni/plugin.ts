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
import { type FlannelConf, parseConf, readObject } from "./conf.ts";
import { runDelegate } from "./delegate.ts";
import { type DelegateConf, delegateConf } from "./delegate-conf.ts";
import { CNI_CODE, CniError, errorResult } from "./error.ts";
import { readPodNetwork } from "./pod-network.ts";
import { withGateways } from "./prev-result.ts";
import { State } from "./state.ts";
import { awaitUnfinished } from "./unfinished.ts";
import { assertSupported, atLeast, NEWEST, SUPPORTED, UNSAID } from "./version.ts";

/** What the process prints and how it ends. */
export interface Outcome {
  readonly stdout: string;
  readonly stderr?: string;
  readonly status: number;
}

/** One call: the environment is the runtime's word, the text its configuration. */
interface Call {
  readonly env: NodeJS.ProcessEnv;
  readonly conf: FlannelConf;
  readonly container: string;
  readonly ifname: string;
  readonly state: State;
}

type Commands = Readonly<
  Record<string, { readonly since: (typeof SUPPORTED)[number]; run(call: Call): string }>
>;

const COMMANDS: Commands = {
  ADD: { since: "0.1.0", run: add },
  DEL: { since: "0.1.0", run: del },
  CHECK: { since: "0.4.0", run: check },
  STATUS: { since: "1.1.0", run: status },
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
  const conf = parseConf(text);
  if (name === "STATUS" || name === "GC") return command.run({ conf } as Call);
  const { container, ifname } = attachment(name, env);
  return command.run({ env, conf, container, ifname, state: new State(conf.dataDir, container) });
}

/** @throws CniError where the environment does not say what has to be said */
function attachment(command: string, env: NodeJS.ProcessEnv): Pick<Call, "container" | "ifname"> {
  const needed = ["CNI_CONTAINERID", "CNI_IFNAME", "CNI_PATH", ...(command === "DEL" ? [] : ["CNI_NETNS"])];
  const missing = needed.filter((name) => (env[name] ?? "") === "");
  if (missing.length > 0) {
    throw new CniError(CNI_CODE.environment, `${command} needs ${missing.join(", ")} in the environment`);
  }
  const { CNI_CONTAINERID: container = "", CNI_IFNAME: ifname = "" } = env;
  // Both become parts of paths.
  if (!/^[a-zA-Z0-9][\w.-]*$/.test(container)) {
    throw new CniError(
      CNI_CODE.environment,
      `CNI_CONTAINERID is no container's id: ${JSON.stringify(container)}`,
    );
  }
  if (!/^(?!\.\.?$)[^\s/:]{1,15}$/.test(ifname)) {
    throw new CniError(CNI_CODE.environment, `CNI_IFNAME is no interface's name: ${JSON.stringify(ifname)}`);
  }
  return { container, ifname };
}

function add({ env, conf, state }: Call): string {
  const delegate = delegateConf(conf, readPodNetwork(conf.subnetFile));
  state.save(delegate);
  const result = runDelegate(delegate, env, env.CNI_PATH!);
  state.done();
  return result;
}

function check({ env, conf, container, state }: Call): string {
  const text = state.read();
  if (text === null) {
    throw new CniError(CNI_CODE.config, `container ${container} was not added: there is no ${state.path}`);
  }
  const { prevResult } = conf;
  const delegate = {
    ...(readObject(text) as DelegateConf),
    ...(prevResult && { prevResult: withGateways(prevResult) }),
  };
  return runDelegate(delegate, env, env.CNI_PATH!);
}

function del({ env, conf, container, ifname, state }: Call): string {
  const text = state.read();
  const delegate = text === null ? null : kept(text, conf);
  if (delegate !== null) {
    if (state.isUnderWay) awaitUnfinished(container, ifname);
    runDelegate(withResult(delegate, conf), env, env.CNI_PATH!);
  }
  state.remove();
  return "";
}

/**
 * What was kept. Where that is broken, which no ADD of ours leaves, it is what an ADD would delegate now; null where
 * that is not known either: a pod has to be able to go.
 */
function kept(text: string, conf: FlannelConf): DelegateConf | null {
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
function withResult(delegate: DelegateConf, { prevResult }: FlannelConf): DelegateConf {
  return prevResult === undefined ? delegate : { ...delegate, prevResult };
}

/** Without subnet.env no pod can be added. */
function status({ conf }: Call): string {
  try {
    readPodNetwork(conf.subnetFile);
    return "";
  } catch (error) {
    const { message, details } = error as CniError;
    throw new CniError(CNI_CODE.unavailable, message, details, error);
  }
}
