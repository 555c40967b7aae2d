/** What a runtime says in the environment of a call that is about one container, checked. */
import type { FlannelConf } from "./conf.ts";
import { CNI_CODE, CniError } from "./error.ts";
import { State } from "./state.ts";

export interface Call {
  /** The delegate gets all of it. */
  readonly env: NodeJS.ProcessEnv;
  readonly conf: FlannelConf;
  readonly container: string;
  readonly ifname: string;
  /** CNI_PATH. */
  readonly path: string;
  readonly state: State;
}

/** @throws CniError where the environment does not say what has to be said */
export function readCall(command: string, env: NodeJS.ProcessEnv, conf: FlannelConf): Call {
  const needed = ["CNI_CONTAINERID", "CNI_IFNAME", "CNI_PATH", ...(command === "DEL" ? [] : ["CNI_NETNS"])];
  const missing = needed.filter((name) => (env[name] ?? "") === "");
  if (missing.length > 0) throw wrong(`${command} needs ${missing.join(", ")} in the environment`);
  const { CNI_CONTAINERID: container = "", CNI_IFNAME: ifname = "", CNI_PATH: path = "" } = env;
  // Both become parts of paths, here or in the delegate.
  if (!/^[a-zA-Z0-9][\w.-]*$/.test(container)) {
    throw wrong(`CNI_CONTAINERID is no container's id: ${JSON.stringify(container)}`);
  }
  if (!/^(?!\.\.?$)[^\s/:]{1,15}$/.test(ifname)) {
    throw wrong(`CNI_IFNAME is no interface's name: ${JSON.stringify(ifname)}`);
  }
  return { env, conf, container, ifname, path, state: new State(conf.dataDir, container) };
}

function wrong(message: string): CniError {
  return new CniError(CNI_CODE.environment, message);
}
