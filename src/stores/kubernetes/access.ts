/**
 * How the API server is reached and convinced: by a pod's service account (`service-account.ts`), or by a kubeconfig
 * (`kubeconfig.ts`). What is read from files is read again each minute and whenever the server does not know us: the
 * kubelet exchanges tokens hourly, and sometimes the CA.
 */
import { StoreError } from "../store.ts";

/** Milliseconds for which a file's content is believed. As client-go's. */
export const BELIEVED = 60_000;

/** What a connection needs. */
export interface Tls {
  readonly ca?: string | Buffer;
  readonly cert?: string | Buffer;
  readonly key?: string | Buffer;
  readonly servername?: string;
  readonly rejectUnauthorized?: boolean;
}

/** As things are at this moment. */
export interface Credentials {
  readonly tls: Tls;
  readonly headers: Readonly<Record<string, string>>;
}

export interface Access {
  readonly server: URL;
  /** @throws StoreError where files or programs do not give what they should */
  credentials(): Promise<Credentials>;
  /** The server did not know us: forget what was read. */
  forget(): void;
}

/** @throws StoreError */
export function serverUrl(text: string): URL {
  try {
    const url = new URL(text);
    if (url.protocol === "https:" || url.protocol === "http:") return url;
  } catch {
    // Said below.
  }
  const remedy = "write it as https://10.0.0.1:6443";
  throw new StoreError("STORE_BAD_OPTION", `"${text}" is no URL of an API server`, remedy);
}
