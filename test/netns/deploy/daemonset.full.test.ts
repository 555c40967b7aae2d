/**
 * A node as the DaemonSet runs it, as far as that needs no container runtime: its arguments, root without root's rights
 * but those of its securityContext, a root filesystem and a /proc/sys that are read-only, its volumes where it mounts
 * them, and a pod's account at the API server.
 */
import { dirname } from "node:path";
import { afterEach, expect, it } from "vitest";
import { threadRights } from "../../../src/host/capabilities.ts";
import type { FlannelNode } from "../../../src/lab/flannel-node.ts";
import { type Manifest, objectsOf, rendered } from "../../deploy/chart.ts";
import { describeWith, lab, tool } from "../../helpers/needs.ts";
import { allKnown, answers, lines } from "../flannel/cluster.ts";
import { KubernetesLab } from "../flannel/kubernetes.ts";

const [daemonSet] = objectsOf(rendered("daemonset.yaml"));
const [container]: Manifest[] = daemonSet.spec.template.spec.containers;
const ACCOUNT = "/run/secrets/kubernetes.io/serviceaccount";

/**
 * The container's view of files. $0: the lab's folder, which stays writable, since the test asks the node there; $1: where
 * token and CA are. The device comes last, as its folder is hidden by it.
 */
const FILES = `
  set -e
  mount -t tmpfs tmpfs /mnt && mkdir /mnt/lab && mount --bind "$0" /mnt/lab
  mount -t tmpfs tmpfs /run && mkdir -p "$0" ${ACCOUNT} /run/flannel && touch /run/xtables.lock
  cp "$1/ca.crt" "$1/token" ${ACCOUNT}
  for path in /run/flannel /run/poplin /run/xtables.lock /proc/sys; do mount --bind $path $path; done
  mount --bind /mnt/lab "$0" && umount /mnt/lab
  mount -t tmpfs tmpfs /dev/net && mknod -m 666 /dev/net/tun c 10 200
  for path in / /run /proc/sys; do mount -o remount,bind,ro $path; done
  shift && exec "$@"`;

/** What runs a command in such a container. */
function contained(folder: string, account: string): string[] {
  const { add, drop } = container.securityContext.capabilities;
  expect(drop).toEqual(["ALL"]);
  const set = ["-all", ...add.map((name: string) => `+${name.toLowerCase()}`)].join(",");
  const rights = [`--bounding-set=${set}`, "--inh-caps=-all", "--no-new-privs"];
  return ["unshare", "--mount", "sh", "-c", FILES, folder, account, "setpriv", ...rights];
}

let cluster: KubernetesLab;
afterEach(() => cluster.end());

/** A node of the DaemonSet's. The lab has no default route, and its API server's address is its own. */
async function contain(name: string, podCidr: string): Promise<FlannelNode> {
  const node = await cluster.node(name, [podCidr]);
  const { stage, lab } = cluster;
  const env = { KUBERNETES_SERVICE_HOST: "127.0.0.1", KUBERNETES_SERVICE_PORT: String(stage.server.port) };
  node.options = {
    flags: [...container.args, "--net-config-path", stage.netConfPath],
    env: { NODE_NAME: name, ...env },
    wrapper: contained(dirname(lab.file("any")), stage.folder),
  };
  return node;
}

/** What a probe of the kubelet's hears. */
async function probe(node: FlannelNode, path: string): Promise<number> {
  const [{ containerPort }] = container.ports;
  const script = `fetch("http://127.0.0.1:${containerPort}${path}").then(({ status }) => console.log(status))`;
  return Number((await node.host.exec(process.execPath, ["-e", script])).stdout);
}

async function indexOf(node: FlannelNode): Promise<number> {
  const { stdout } = await node.host.exec("ip", ["-json", "link", "show", "flannel.1"]);
  return JSON.parse(stdout)[0].ifindex;
}

describeWith(
  [lab(), tool("ping"), tool("iptables"), tool("openssl"), tool("setpriv")],
  "the DaemonSet",
  () => {
    it("runs nodes that reach each other, with no more rights, and keeps the device over an update", async () => {
      cluster = await KubernetesLab.make();
      const [a, b] = [await contain("node-a", "10.244.1.0/24"), await contain("node-b", "10.244.2.0/24")];
      await Promise.all([a.start(), b.start()]);
      await allKnown([a, b]);
      expect(await answers(a, b.podIp)).toBe(true);
      expect(await answers(b, a.podIp)).toBe(true);
      expect(lines(a, / (warn|error) /)).toEqual([]);
      const capabilities = container.securityContext.capabilities.add.map((name: string) => `CAP_${name}`);
      for (const { uid, effective, permitted, bounding, noNewPrivileges } of threadRights(a.pid)) {
        expect({ uid, noNewPrivileges }).toEqual({ uid: 0, noNewPrivileges: true });
        for (const set of [effective, permitted, bounding]) expect(set).toEqual(capabilities);
      }
      expect(await probe(a, container.readinessProbe.httpGet.path)).toBe(200);
      expect(await probe(a, container.livenessProbe.httpGet.path)).toBe(200);
      expect((await a.host.exec("iptables", ["-t", "nat", "-S"])).stdout).toContain("FLANNEL-POSTRTG");

      const index = await indexOf(a);
      expect(await a.stop("SIGTERM")).toBe(0);
      await a.start();
      expect(await indexOf(a)).toBe(index);
      expect(await answers(b, a.podIp)).toBe(true);
    });
  },
);
