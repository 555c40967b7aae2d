/** The Kubernetes store's world for the contract of all stores, and for the tests of this folder. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { LeaseAttributes, NodeSubnets } from "../../../src/control/flannel/node-lease.ts";
import { KubernetesStore, type KubernetesStoreOptions } from "../../../src/stores/kubernetes/store.ts";
import type { Stage } from "../../contract/store-world.ts";
import { ApiServer, type ApiServerOptions } from "./api-server.ts";
import { makeAuthority, type ServerCertificate } from "./certificates.ts";

const PREFIX = "flannel.alpha.coreos.com/";

/** Fast enough for tests; nothing depends on how fast. */
export const TIMES = {
  settled: 50,
  pause: [5, 100],
  retryFor: 300,
  retryEvery: 20,
  putBackEvery: 50,
} as const;

interface Certificates {
  readonly ca: string;
  readonly server: ServerCertificate;
  readonly client: ServerCertificate;
}

let made: Certificates | null = null;

/** Those of all tests of a process: openssl takes its time. */
export function certificates(): Certificates {
  if (made === null) {
    const authority = makeAuthority();
    const { ca } = authority;
    made = { ca, server: authority.sign("kubernetes"), client: authority.sign("system:node:node-1") };
    authority.close();
  }
  return made;
}

export class KubernetesStage implements Stage {
  readonly server: ApiServer;
  /** Where net-conf.json and the service account are. */
  readonly folder = mkdtempSync(join(tmpdir(), "poplin-kubernetes-"));
  readonly #stores: KubernetesStore[] = [];

  constructor(options: Partial<ApiServerOptions> = {}) {
    const certificate = options.certificate ?? certificates().server;
    this.server = new ApiServer({ bookmarkEvery: 20, ...options, certificate });
    this.giveCa(certificates().ca);
    this.giveToken("token-1");
  }

  /** For `StoreSubject`: nodes node-1 to node-99 are registered, with the families of the configuration. */
  static async make(conf: string | null): Promise<KubernetesStage> {
    const stage = await new KubernetesStage().started();
    if (conf !== null) writeFileSync(stage.netConfPath, conf);
    for (let n = 1; n < 100; n++) stage.register(n, conf?.includes("IPv6Network") ?? false);
    return stage;
  }

  async started(): Promise<this> {
    await this.server.start();
    return this;
  }

  get netConfPath(): string {
    return join(this.folder, "net-conf.json");
  }

  /** As the kubelet does it. */
  giveToken(token: string): void {
    writeFileSync(join(this.folder, "token"), `${token}\n`);
  }

  /** As the kubelet does it. */
  giveCa(ca: string): void {
    writeFileSync(join(this.folder, "ca.crt"), ca);
  }

  /** A kubelet registers its node; Kubernetes gives it podCIDRs. */
  register(n: number, dual = false): void {
    const cidrs = [`10.244.${n}.0/24`, ...(dual ? [`fd00:10:244:${n}::/64`] : [])];
    this.server.objects.put(`node-${n}`, cidrs);
  }

  /** A store in a pod on this node. */
  store(node: string, options: Partial<KubernetesStoreOptions> = {}): KubernetesStore {
    const store = new KubernetesStore({
      kubeconfig: "",
      apiUrl: "",
      annotationPrefix: "flannel.alpha.coreos.com",
      netConfigPath: this.netConfPath,
      setNetworkUnavailable: true,
      env: {
        NODE_NAME: node,
        KUBERNETES_SERVICE_HOST: this.server.host,
        KUBERNETES_SERVICE_PORT: String(this.server.port),
      },
      serviceAccount: this.folder,
      ...options,
      times: { ...TIMES, ...options.times },
    });
    this.#stores.push(store);
    return store;
  }

  async open(node: string): Promise<KubernetesStore> {
    return this.store(node);
  }

  async put(stranger: string, subnets: NodeSubnets, attributes: LeaseAttributes): Promise<string> {
    const cidrs = [subnets.ipv4, subnets.ipv6].filter((cidr) => cidr !== null);
    this.server.objects.put(stranger, cidrs, flannelsAnnotations(attributes));
    return stranger;
  }

  async spoil(stranger: string, subnets: NodeSubnets): Promise<string> {
    const cidrs = [subnets.ipv4, subnets.ipv6].filter((cidr) => cidr !== null);
    const annotations = { "kube-subnet-manager": "true", "backend-type": "vxlan", "backend-data": "{VNI: 1" };
    this.server.objects.put(stranger, cidrs, prefixed(annotations));
    return stranger;
  }

  /** One of our own nodes is registered again by its kubelet, and has no annotations then. */
  async remove(key: string): Promise<void> {
    this.server.objects.delete(key);
    const own = /^node-(\d+)$/.exec(key);
    if (own !== null) this.register(Number(own[1]));
  }

  async cut(): Promise<void> {
    await this.server.stop();
  }

  async mend(): Promise<void> {
    await this.server.start();
  }

  async close(): Promise<void> {
    await Promise.all(this.#stores.map((store) => store.close()));
    await this.server.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** What flanneld writes for these attributes. */
export function flannelsAnnotations(attributes: LeaseAttributes): Record<string, string> {
  const { publicIp, publicIpv6, backendType, backendData, backendV6Data } = attributes;
  return prefixed({
    "kube-subnet-manager": "true",
    "backend-type": backendType,
    ...(publicIp === null ? {} : { "public-ip": publicIp, "backend-data": JSON.stringify(backendData) }),
    ...(publicIpv6 === null
      ? {}
      : { "public-ipv6": publicIpv6, "backend-v6-data": JSON.stringify(backendV6Data) }),
  });
}

/** @returns the annotations with flannel's prefix */
export function prefixed(annotations: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(annotations).map(([key, value]) => [`${PREFIX}${key}`, value]));
}
