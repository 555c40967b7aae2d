/**
 * `poplin flanneld`: a node of a flannel cluster as a process in the foreground, with flanneld's flags. SIGHUP reads the
 * dataplane's settings again; SIGTERM and SIGINT end it, and leave in place what flanneld leaves.
 */

import type { NetConf } from "../../control/flannel/net-conf.ts";
import { findPublicIp, type PublicIp } from "../../host/public-ip.ts";
import { openStore, type StoreChoice } from "../../stores/open.ts";
import type { NodeHints, Store } from "../../stores/store.ts";
import { loadConfig } from "../config/load.ts";
import { fieldsOf, Log } from "../log.ts";
import { releaseGarbage } from "../memory.ts";
import { StoreMeter } from "../metrics/histogram.ts";
import type { HealthSource } from "../probes/pages.ts";
import { signalled } from "../run.ts";
import { startService } from "../systemd/asked.ts";
import type { Service } from "../systemd/service.ts";
import { atLast } from "../takeover/at-last.ts";
import { successorOf } from "../takeover/successor.ts";
import type { FlanneldFlags } from "./flags.ts";
import { FlannelHealth } from "./healthz.ts";
import { FlannelNode, type NodeOptions } from "./node.ts";
import { Interrupted } from "./patience.ts";

/**
 * Runs the node until a signal or a failure ends it.
 * @returns the exit code: 0 after a signal, and when another process has taken over; 1 after a failure
 * @throws whatever kept it from starting: ConfigError, StoreError, HostError, …
 */
export async function runFlanneld(flags: FlanneldFlags, env: NodeJS.ProcessEnv): Promise<number> {
  const log = new Log(flags.v > 0 ? "debug" : "info");
  // Whoever reads our log may go away, or its disk be full: that is no reason to stop forwarding.
  process.stderr.on("error", () => {});
  let service: Service | null = null;
  const interrupt = new AbortController();
  const stopped = signalled(["SIGTERM", "SIGINT"]);
  void stopped.then(() => {
    interrupt.abort();
    service?.stopping();
  });
  let node: FlannelNode | undefined;
  let changed = false;
  const reload = (): void => {
    changed = true;
    if (interrupt.signal.aborted || node === undefined) return;
    const reloaded = service?.reloading();
    void node.reload().finally(reloaded);
  };
  // Before the start: a SIGHUP during it must not end the process, and its change may have come too late to be read.
  process.on("SIGHUP", reload);
  process.on("SIGUSR2", successorOf({ ...env }, log));
  let health: FlannelHealth | undefined;
  let store: Store | undefined;
  try {
    service = await startService(env, log);
    const port = flags["healthz-port"];
    const choice = storeOf(flags, env);
    const meter = new StoreMeter(choice.kind);
    // Until we have taken over, who runs now has the port, and answers.
    const serve = (): Promise<FlannelHealth> => FlannelHealth.start(flags["healthz-ip"], port);
    if (port !== 0 && !flags["take-over"]) health = await serve();
    store = await openStore(choice, (text) => log.warn(text), meter);
    let asked: HealthSource | undefined;
    const up = (agent: HealthSource): void => {
      asked = agent;
      health?.attach(agent);
      service?.attach(agent);
    };
    const { signal } = interrupt;
    node = await FlannelNode.start(nodeOptions(flags, env, { store, meter, log, signal, up }));
    if (port !== 0 && flags["take-over"]) {
      health = await atLast(serve, log);
      if (asked !== undefined) health?.attach(asked);
    }
    if (changed) reload();
    void releaseGarbage();
    const end = await Promise.race([stopped, node.failed, node.replaced]);
    // Whatever still waits for the store waits in vain from now on.
    interrupt.abort();
    if (typeof end === "string") log.info(`${end}: stopping`);
    else if (typeof end !== "number") log.error(end.message, fieldsOf(end));
    if (typeof end === "number") service?.replaced(end);
    else if (typeof end !== "string") service?.stopping();
    await node.stop();
    return end instanceof Error ? 1 : 0;
  } catch (error) {
    if (error instanceof Interrupted) return 0;
    throw error;
  } finally {
    interrupt.abort();
    await store?.close();
    health?.close();
    service?.close();
    log.close();
  }
}

/** Kubernetes where flanneld would take it, a directory where one is named, etcd else. */
function storeOf(flags: FlanneldFlags, env: NodeJS.ProcessEnv): StoreChoice {
  const directory = flags["lease-dir"];
  if (flags["kube-subnet-mgr"]) {
    return {
      kind: "kubernetes",
      options: {
        kubeconfig: flags["kubeconfig-file"],
        apiUrl: flags["kube-api-url"],
        annotationPrefix: flags["kube-annotation-prefix"],
        netConfigPath: flags["net-config-path"],
        setNetworkUnavailable: flags["set-node-network-unavailable"],
        env,
      },
    };
  }
  if (directory !== "") return { kind: "file", directory };
  return {
    kind: "etcd",
    options: {
      endpoints: flags["etcd-endpoints"],
      prefix: flags["etcd-prefix"],
      keyFile: flags["etcd-keyfile"],
      certFile: flags["etcd-certfile"],
      caFile: flags["etcd-cafile"],
      username: flags["etcd-username"],
      password: flags["etcd-password"],
      renewMargin: flags["subnet-lease-renew-margin"],
    },
  };
}

type Open = Pick<NodeOptions, "store" | "meter" | "log" | "signal" | "up">;

function nodeOptions(flags: FlanneldFlags, env: NodeJS.ProcessEnv, open: Open): NodeOptions {
  const path = flags.config === "" ? null : flags.config;
  const verbose = flags.v > 0 ? { logLevel: "debug" } : {};
  return {
    ...open,
    takeOver: flags["take-over"],
    settings: () => loadConfig({ profile: "flannel", env, path, flags: verbose }),
    reach: (conf, hints) => reachOf(flags, conf, hints),
    host: {
      subnetFile: flags["subnet-file"],
      cniConf: flags["write-cni-conf"],
      masquerade: flags["ip-masq"],
      randomFully: !flags["ip-masq-fully-random-disable"],
      forwardRules: flags["iptables-forward-rules"],
      blackhole: flags["ip-blackhole-route"],
      resync: flags["iptables-resync"],
    },
  };
}

/** As with flanneld the node's annotations count before its flags. */
function reachOf(flags: FlanneldFlags, { ipv4, ipv6 }: NetConf, hints: NodeHints): Promise<PublicIp> {
  return findPublicIp({
    iface: flags.iface,
    ifaceRegex: flags["iface-regex"],
    canReach: flags["iface-can-reach"],
    publicIp: hints.publicIp ?? flags["public-ip"],
    publicIpv6: hints.publicIpv6 ?? flags["public-ipv6"],
    families: [...(ipv4 === null ? [] : [4 as const]), ...(ipv6 === null ? [] : [6 as const])],
  });
}
