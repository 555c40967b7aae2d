/**
 * `poplin flanneld`: a node of a flannel cluster as a process in the foreground, with flanneld's flags. SIGHUP reads the
 * dataplane's settings again; SIGTERM and SIGINT end it, and leave in place what flanneld leaves.
 */

import type { NetConf } from "../../control/flannel/net-conf.ts";
import { findPublicIp, type PublicIp } from "../../host/public-ip.ts";
import { openStore, type StoreChoice } from "../../stores/open.ts";
import type { NodeHints, Store } from "../../stores/store.ts";
import { loadConfig } from "../config/load.ts";
import { Log } from "../log.ts";
import { releaseGarbage } from "../memory.ts";
import { signalled } from "../run.ts";
import type { FlanneldFlags } from "./flags.ts";
import { HealthServer } from "./healthz.ts";
import { FlannelNode, type NodeOptions } from "./node.ts";
import { Interrupted } from "./patience.ts";

/**
 * Runs the node until a signal or a failure ends it.
 * @returns the exit code: 0 after a signal, 1 after a failure
 * @throws whatever kept it from starting: ConfigError, StoreError, HostError, …
 */
export async function runFlanneld(flags: FlanneldFlags, env: NodeJS.ProcessEnv): Promise<number> {
  const log = new Log(flags.v > 0 ? "debug" : "info");
  // Whoever reads our log may go away, or its disk be full: that is no reason to stop forwarding.
  process.stderr.on("error", () => {});
  const interrupt = new AbortController();
  const stopped = signalled(["SIGTERM", "SIGINT"]);
  void stopped.then(() => interrupt.abort());
  let node: FlannelNode | undefined;
  let changed = false;
  const reload = (): void => {
    changed = true;
    if (!interrupt.signal.aborted) void node?.reload();
  };
  // Before the start: a SIGHUP during it must not end the process, and its change may have come too late to be read.
  process.on("SIGHUP", reload);
  let health: HealthServer | undefined;
  let store: Store | undefined;
  try {
    const port = flags["healthz-port"];
    if (port !== 0) health = await HealthServer.start(flags["healthz-ip"], port);
    store = await openStore(storeOf(flags, env), (text) => log.warn(text));
    const ready = (): void => health?.setReady();
    node = await FlannelNode.start(nodeOptions(flags, env, { store, log, signal: interrupt.signal, ready }));
    if (changed) reload();
    void releaseGarbage();
    const end = await Promise.race([stopped, node.failed]);
    // Whatever still waits for the store waits in vain from now on.
    interrupt.abort();
    if (typeof end === "string") log.info(`${end}: stopping`);
    else log.error(end.message);
    await node.stop();
    return typeof end === "string" ? 0 : 1;
  } catch (error) {
    if (error instanceof Interrupted) return 0;
    throw error;
  } finally {
    interrupt.abort();
    await store?.close();
    health?.close();
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

type Open = Pick<NodeOptions, "store" | "log" | "signal" | "ready">;

function nodeOptions(flags: FlanneldFlags, env: NodeJS.ProcessEnv, open: Open): NodeOptions {
  const path = flags.config === "" ? null : flags.config;
  const verbose = flags.v > 0 ? { logLevel: "debug" } : {};
  return {
    ...open,
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
