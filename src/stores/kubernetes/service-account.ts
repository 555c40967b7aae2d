/** The account of a pod: a token and a CA that the kubelet keeps up to date in a directory. */
import { readFileSync } from "node:fs";
import { isIPv6 } from "node:net";
import { join } from "node:path";
import { StoreError } from "../store.ts";
import { type Access, BELIEVED, type Credentials, serverUrl } from "./access.ts";

type Environment = Readonly<Record<string, string | undefined>>;

export class ServiceAccount implements Access {
  readonly server: URL;
  readonly #directory: string;
  readonly #isAsked: boolean;
  #known: { credentials: Credentials; at: number } | null = null;

  /**
   * @param directory where the kubelet puts token and CA
   * @param apiUrl instead of what the kubelet says; "" for none
   * @throws StoreError
   */
  constructor(directory: string, apiUrl: string, env: Environment) {
    this.#directory = directory;
    // With a URL alone there may be no account: a proxy on this host asks for none.
    this.#isAsked = apiUrl === "";
    this.server = serverUrl(apiUrl !== "" ? apiUrl : urlInPod(env));
  }

  async credentials(): Promise<Credentials> {
    const now = performance.now();
    if (this.#known === null || now - this.#known.at > BELIEVED) {
      this.#known = { credentials: this.#read(), at: now };
    }
    return this.#known.credentials;
  }

  forget(): void {
    this.#known = null;
  }

  #read(): Credentials {
    try {
      const ca = readFileSync(join(this.#directory, "ca.crt"), "utf8");
      const token = readFileSync(join(this.#directory, "token"), "utf8").trim();
      return { tls: { ca }, headers: { authorization: `Bearer ${token}` } };
    } catch (error) {
      if (!this.#isAsked && (error as NodeJS.ErrnoException).code === "ENOENT")
        return { tls: {}, headers: {} };
      const message = `the pod's service account cannot be read: ${(error as Error).message}`;
      const remedy =
        "see serviceAccountName and automountServiceAccountToken of the pod, or give a kubeconfig";
      throw new StoreError("STORE_BAD_OPTION", message, remedy, false, error);
    }
  }
}

/** What the kubelet tells every container. */
function urlInPod(env: Environment): string {
  const { KUBERNETES_SERVICE_HOST: host = "", KUBERNETES_SERVICE_PORT: port = "" } = env;
  if (host !== "") return `https://${isIPv6(host) ? `[${host}]` : host}:${port || "443"}`;
  throw new StoreError(
    "STORE_BAD_OPTION",
    "where is the API server? KUBERNETES_SERVICE_HOST is not set, so this is no pod",
    "outside of a pod give --kubeconfig-file, or --kube-api-url",
  );
}
