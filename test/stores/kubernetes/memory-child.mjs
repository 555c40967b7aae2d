/** Opens a Kubernetes store from dist/, waits until it has heard of all nodes, and prints what memory that takes. */
import { readFileSync } from "node:fs";
import { KubernetesStore } from "../../../dist/stores/kubernetes/store.js";

const [folder, port, kubeconfig] = process.argv.slice(2);

function memory() {
  const status = readFileSync("/proc/self/status", "utf8");
  const kb = (key) => Number(new RegExp(`^${key}:\\s+(\\d+)`, "m").exec(status)[1]);
  return { rss: kb("VmRSS"), peak: kb("VmHWM") };
}

globalThis.gc();
const before = memory();
const start = performance.now();
const store = new KubernetesStore({
  kubeconfig: kubeconfig ?? "",
  apiUrl: "",
  annotationPrefix: "flannel.alpha.coreos.com",
  netConfigPath: "",
  setNetworkUnavailable: true,
  env: { NODE_NAME: "node-0", KUBERNETES_SERVICE_HOST: "127.0.0.1", KUBERNETES_SERVICE_PORT: port },
  serviceAccount: folder,
});
store.watch({
  changed(changes) {
    const milliseconds = performance.now() - start;
    setTimeout(async () => {
      globalThis.gc();
      const { rss, peak } = memory();
      const heap = process.memoryUsage().heapUsed / 1024;
      console.log(
        JSON.stringify({ nodes: changes.length, before: before.rss, rss, peak, heap, milliseconds }),
      );
      await store.close();
    }, 100);
  },
  bad() {},
  heard() {},
});
