/**
 * A kubeconfig file, read with the parts of `@kubernetes/client-node` that do nothing else: loaded only where there is
 * such a file, and only these. Its `KubeConfig` imports every type of the Kubernetes API: 72 MB and 0.4 s, as much as the
 * whole package (74 MB, 0.5 s), where these parts take 2 MB and 20 ms (Node 20, x86-64). That is why requests are our
 * own, too: a node has to do with five of them. Files inside of a package may move, so package.json names one version.
 */
import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { parse } from "yaml";
import { StoreError } from "../store.ts";
import { type Access, BELIEVED, type Credentials, serverUrl, type Tls } from "./access.ts";
import { fieldsOf } from "./annotations.ts";

type ConfigTypes = typeof import("@kubernetes/client-node/dist/config_types.js");
type Cluster = import("@kubernetes/client-node/dist/config_types.js").Cluster;
type User = import("@kubernetes/client-node/dist/config_types.js").User;

/** @throws StoreError */
export async function openKubeconfig(path: string, apiUrl: string): Promise<Access> {
  const parts = await loadParts();
  const config = new Kubeconfig(path, apiUrl, parts);
  await config.credentials();
  return config;
}

interface Parts {
  readonly types: ConfigTypes;
  /** Runs the programs that kubeconfigs name for credentials, and keeps what they say until it ends. */
  readonly ExecAuth: typeof import("@kubernetes/client-node/dist/exec_auth.js").ExecAuth;
}

async function loadParts(): Promise<Parts> {
  try {
    const types = await import("@kubernetes/client-node/dist/config_types.js");
    const { ExecAuth } = await import("@kubernetes/client-node/dist/exec_auth.js");
    return { types, ExecAuth };
  } catch (error) {
    const message = `kubeconfig files need the package @kubernetes/client-node: ${(error as Error).message}`;
    const remedy = "npm install @kubernetes/client-node@1.4.0; in a pod none is needed";
    throw new StoreError("STORE_BAD_OPTION", message, remedy, false, error);
  }
}

/** What the file says of its current context. */
interface Loaded {
  readonly cluster: Cluster;
  readonly user: User;
  readonly tokenFile: string | null;
  /** By `performance.now()`. */
  at: number;
}

class Kubeconfig implements Access {
  readonly server: URL;
  readonly #path: string;
  readonly #parts: Parts;
  #exec: InstanceType<Parts["ExecAuth"]>;
  #read: Loaded;

  constructor(path: string, apiUrl: string, parts: Parts) {
    this.#path = path;
    this.#parts = parts;
    this.#exec = new parts.ExecAuth();
    this.#read = this.#load();
    this.server = serverUrl(apiUrl !== "" ? apiUrl : this.#read.cluster.server);
  }

  async credentials(): Promise<Credentials> {
    if (performance.now() - this.#read.at > BELIEVED) this.#read = this.#load();
    return this.#try(async () => {
      const { cluster, user, tokenFile } = this.#read;
      const tls: { -readonly [K in keyof Tls]: Tls[K] } = {};
      const ca = this.#bytes(cluster.caData, cluster.caFile);
      if (ca !== null) tls.ca = ca;
      if (cluster.skipTLSVerify) tls.rejectUnauthorized = false;
      if (cluster.tlsServerName) tls.servername = cluster.tlsServerName;
      const cert = this.#bytes(user.certData, user.certFile);
      const key = this.#bytes(user.keyData, user.keyFile);
      if (cert !== null && key !== null) Object.assign(tls, { cert, key });
      return { tls, headers: await this.#headers(user, tokenFile, tls) };
    });
  }

  forget(): void {
    this.#read.at = Number.NEGATIVE_INFINITY;
    this.#exec = new this.#parts.ExecAuth();
  }

  async #headers(user: User, tokenFile: string | null, tls: Tls): Promise<Record<string, string>> {
    const headers: Record<string, string> = {};
    if (user.impersonateUser) headers["impersonate-user"] = user.impersonateUser;
    const token = tokenFile !== null ? readFileSync(this.#resolve(tokenFile), "utf8").trim() : user.token;
    if (token) headers.authorization = `Bearer ${token}`;
    else if (user.username) {
      const pair = `${user.username}:${user.password ?? ""}`;
      headers.authorization = `Basic ${Buffer.from(pair).toString("base64")}`;
    } else if (this.#exec.isAuthProvider(user)) {
      const given: { headers: { Authorization?: string }; cert?: string; key?: string } = { headers: {} };
      await this.#exec.applyAuthentication(user, given);
      if (given.headers.Authorization !== undefined) headers.authorization = given.headers.Authorization;
      if (given.cert !== undefined && given.key !== undefined) {
        Object.assign(tls, { cert: given.cert, key: given.key });
      }
    } else if (user.authProvider) {
      throw new Error(`its auth-provider "${String(user.authProvider.name)}" is of the past: use "exec"`);
    }
    return headers;
  }

  #load(): Loaded {
    return this.#tryNow(() => {
      const config = fieldsOf(parse(readFileSync(this.#path, "utf8")));
      const { newClusters, newContexts, newUsers } = this.#parts.types;
      const current = config["current-context"];
      const context = find(newContexts(config.contexts), current, "context");
      const cluster = find(newClusters(config.clusters), context.cluster, "cluster");
      const user = find(newUsers(config.users), context.user, "user");
      // The package does not know this key of kubectl's.
      const listed = (Array.isArray(config.users) ? config.users : []).map(fieldsOf);
      const { tokenFile } = fieldsOf(listed.find(({ name }) => name === user.name)?.user);
      if (cluster.proxyUrl)
        throw new Error("its proxy-url cannot be used: the API server has to be reachable");
      return {
        cluster,
        user,
        tokenFile: typeof tokenFile === "string" ? tokenFile : null,
        at: performance.now(),
      };
    });
  }

  /** Given as base64, or in a file whose path is relative to the kubeconfig. */
  #bytes(data: string | undefined, file: string | undefined): Buffer | null {
    if (data) return Buffer.from(data, "base64");
    return file ? readFileSync(this.#resolve(file)) : null;
  }

  #resolve(file: string): string {
    return resolve(dirname(this.#path), file);
  }

  #tryNow<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw this.#bad(error);
    }
  }

  async #try<T>(work: () => Promise<T>): Promise<T> {
    return work().catch((error: unknown) => {
      throw this.#bad(error);
    });
  }

  #bad(error: unknown): StoreError {
    const message = `the kubeconfig ${this.#path} is of no use: ${(error as Error).message.trim()}`;
    const remedy = `\`kubectl --kubeconfig ${this.#path} get nodes\` should work on this host`;
    return new StoreError("STORE_BAD_OPTION", message, remedy, false, error);
  }
}

function find<T extends { readonly name: string }>(list: readonly T[], name: unknown, what: string): T {
  const found = list.find((one) => one.name === name);
  if (found === undefined) throw new Error(`it has no ${what} called ${JSON.stringify(name ?? "")}`);
  return found;
}
