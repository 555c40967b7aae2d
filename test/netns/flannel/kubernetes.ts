/**
 * A cluster whose nodes are Node objects of an API server. That one runs in the test's own process; each node reaches it
 * on its own loopback, through a relay and a Unix socket, as namespaces share no network.
 */
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { fileURLToPath } from "node:url";
import type { FlannelNode } from "../../../src/lab/flannel-node.ts";
import { certificates, KubernetesStage } from "../../stores/kubernetes/stage.ts";
import { FlannelLab, NET_CONF } from "./cluster.ts";

const RELAY = fileURLToPath(new URL("./relay.mjs", import.meta.url));

export class KubernetesLab extends FlannelLab {
  readonly stage = new KubernetesStage();
  readonly #relay: Server;

  /** @param conf net-conf.json */
  static async make(conf: object = NET_CONF): Promise<KubernetesLab> {
    const lab = new KubernetesLab(conf);
    await lab.stage.server.start();
    lab.#relay.listen(lab.lab.file("api.sock"));
    await once(lab.#relay, "listening");
    return lab;
  }

  private constructor(conf: object) {
    super();
    writeFileSync(this.stage.netConfPath, JSON.stringify(conf));
    this.#relay = createServer((from) => {
      const to = connect(this.stage.server.port, "127.0.0.1");
      from.pipe(to).pipe(from);
      from.on("error", () => to.destroy()).on("close", () => to.destroy());
      to.on("error", () => from.destroy()).on("close", () => from.destroy());
    });
  }

  /** A node whose kubelet has registered it; poplin is run as flannel's DaemonSet runs flanneld. */
  async node(name: string, podCidrs: readonly string[]): Promise<FlannelNode> {
    this.stage.server.objects.put(name, podCidrs);
    const { port } = this.stage.server;
    const kubeconfig = this.lab.file("kubeconfig.json");
    writeFileSync(kubeconfig, JSON.stringify(kubeconfigFor(port)));
    const flags = ["--ip-masq", "--kube-subnet-mgr", `--kubeconfig-file=${kubeconfig}`];
    const node = this.add(name, {
      flags: [...flags, "--net-config-path", this.stage.netConfPath],
      env: { NODE_NAME: name },
    });
    const relay = node.host.spawn(process.execPath, [RELAY, String(port), this.lab.file("api.sock")], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    await once(relay.stdout!, "data");
    return node;
  }

  /** A node's annotations, without flannel's prefix. */
  annotations(name: string): Record<string, string> {
    const { annotations = {} } = this.stage.server.objects.nodes.get(name)!.metadata;
    return Object.fromEntries(
      Object.entries(annotations).map(([key, value]) => [
        key.replace("flannel.alpha.coreos.com/", ""),
        value,
      ]),
    );
  }

  override destroy(): void {
    super.destroy();
    this.#relay.close();
  }

  async end(): Promise<void> {
    this.destroy();
    await this.stage.close();
  }
}

function kubeconfigFor(port: number): object {
  const ca = Buffer.from(certificates().ca).toString("base64");
  const server = `https://127.0.0.1:${port}`;
  return {
    ...{ apiVersion: "v1", kind: "Config", "current-context": "lab" },
    clusters: [{ name: "lab", cluster: { server, "certificate-authority-data": ca } }],
    users: [{ name: "node", user: { token: "token-1" } }],
    contexts: [{ name: "lab", context: { cluster: "lab", user: "node" } }],
  };
}
