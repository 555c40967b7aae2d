/**
 * What is said of etcd on the command line, read and checked: endpoints, prefix, TLS, user.
 *
 * An endpoint's scheme decides on TLS, as in etcd's own clients. flannel uses TLS files only where key and certificate
 * are both given, and ignores a CA that stands alone (`pkg/subnet/etcd/registry.go`, newTLSConfig); here it is used.
 */
import { readFileSync } from "node:fs";
import { posix } from "node:path";
import { StoreError } from "../store.ts";

/** As flannel's flags of the same names; "" where nothing is said. */
export interface EtcdStoreOptions {
  /** URLs with commas between them. */
  readonly endpoints: string;
  /** What all keys begin with. */
  readonly prefix: string;
  /** PEM files. */
  readonly keyFile: string;
  readonly certFile: string;
  readonly caFile: string;
  readonly username: string;
  readonly password: string;
  /** Minutes before its end at which the lease is renewed. */
  readonly renewMargin: number;
  /** Other times than the usual ones, for tests. */
  readonly timings?: Partial<EtcdTimings>;
}

export interface EtcdTimings {
  /** Seconds that a lease lives. */
  readonly ttl: number;
  /** Milliseconds before its end at which it is renewed. */
  readonly renewBefore: number;
  /** Milliseconds between two tries to renew it. */
  readonly renewRetry: number;
  /** Milliseconds that one endpoint has for an answer. */
  readonly call: number;
  /** Milliseconds between two looks whether etcd still answers. */
  readonly look: number;
  /** Milliseconds until the watch is opened again, at first and at most. */
  readonly backoffFirst: number;
  readonly backoffMost: number;
  /** Leases read in one call. */
  readonly page: number;
}

/** flannel's times where it has them (subnetTTL, renewal each minute, back-off of the watch). */
const TIMINGS: Omit<EtcdTimings, "renewBefore"> = {
  ttl: 24 * 3600,
  renewRetry: 60_000,
  call: 5000,
  look: 10_000,
  backoffFirst: 100,
  backoffMost: 5000,
  page: 500,
};

/** Minutes: a day but one, flannel's limit. */
const MOST_MARGIN = 1439;

export interface EtcdEndpoint {
  /** "https://10.0.0.1:2379" */
  readonly url: string;
  /** "10.0.0.1:2379" */
  readonly host: string;
  readonly secure: boolean;
}

/** Contents of PEM files; null where none is given. */
export interface EtcdTls {
  readonly key: Buffer | null;
  readonly cert: Buffer | null;
  readonly ca: Buffer | null;
}

export interface EtcdSettings {
  readonly endpoints: readonly EtcdEndpoint[];
  readonly prefix: string;
  readonly tls: EtcdTls;
  readonly user: { readonly username: string; readonly password: string } | null;
  readonly timings: EtcdTimings;
  /** What was given and does nothing, or not what flannel would do with it. */
  readonly warnings: readonly string[];
}

/** Reads the options and the files they name. @throws StoreError STORE_BAD_OPTION */
export function readEtcdOptions(options: EtcdStoreOptions): EtcdSettings {
  const endpoints = options.endpoints
    .split(",")
    .map((text) => text.trim())
    .filter((text) => text !== "")
    .map(readEndpoint);
  if (endpoints.length === 0)
    throw bad("no etcd endpoint is given", "--etcd-endpoints http://127.0.0.1:2379");
  const { tls, warnings } = readTls(options, endpoints);
  const { username, password, renewMargin } = options;
  if (!(renewMargin >= 1 && renewMargin <= MOST_MARGIN)) {
    throw bad(`a lease cannot be renewed ${renewMargin} minutes before its end`, `write 1 to ${MOST_MARGIN}`);
  }
  if (username === "" && password !== "")
    throw bad("there is a password for etcd, but no user", "--etcd-username");
  return {
    endpoints,
    // As flannel does it (path.Join): a slash at the end makes no other keys.
    prefix: posix.join(options.prefix, "/").slice(0, -1),
    tls,
    user: username === "" ? null : { username, password },
    timings: { ...TIMINGS, renewBefore: renewMargin * 60_000, ...options.timings },
    warnings,
  };
}

function readEndpoint(text: string): EtcdEndpoint {
  const example = "write it as http://10.0.0.1:2379";
  const whole = text.includes("://") ? text : `http://${text}`;
  if (!URL.canParse(whole)) throw bad(`the etcd endpoint "${text}" is no URL`, example);
  const { protocol, hostname, port, pathname, username } = new URL(whole);
  if (protocol !== "http:" && protocol !== "https:") {
    throw bad(`the etcd endpoint "${text}" is neither http nor https`, example);
  }
  if (pathname !== "/" || username !== "") {
    throw bad(`the etcd endpoint "${text}" has more than a host and a port`, example);
  }
  // A URL leaves out its scheme's own port.
  const usual = /:(80|443)\/?$/.exec(whole)?.[1] ?? "2379";
  const host = `${hostname}:${port === "" ? usual : port}`;
  return { url: `${protocol}//${host}`, host, secure: protocol === "https:" };
}

function readTls(
  { keyFile, certFile, caFile }: EtcdStoreOptions,
  endpoints: readonly EtcdEndpoint[],
): { tls: EtcdTls; warnings: string[] } {
  const warnings: string[] = [];
  const given = [keyFile, certFile, caFile].some((path) => path !== "");
  const plain = endpoints.filter(({ secure }) => !secure).map(({ url }) => url);
  if ((keyFile === "") !== (certFile === "")) {
    const [there, missing] = keyFile === "" ? ["certificate", "--etcd-keyfile"] : ["key", "--etcd-certfile"];
    throw bad(`there is a ${there} for etcd, but not what belongs to it`, `give ${missing}, too`);
  }
  if (given && plain.length > 0) {
    warnings.push(`${plain.join(", ")}: no TLS, whatever files are given: the endpoint's scheme decides`);
  }
  if (caFile !== "" && keyFile === "" && plain.length < endpoints.length) {
    warnings.push(
      `etcd's certificate is checked against ${caFile} (flannel ignores a CA without key and certificate)`,
    );
  }
  const tls = {
    key: readPem(keyFile, "--etcd-keyfile"),
    cert: readPem(certFile, "--etcd-certfile"),
    ca: readPem(caFile, "--etcd-cafile"),
  };
  return { tls, warnings };
}

function readPem(path: string, flag: string): Buffer | null {
  if (path === "") return null;
  try {
    const content = readFileSync(path);
    if (content.includes("-----BEGIN ")) return content;
  } catch (error) {
    throw bad(`${path} cannot be read: ${(error as Error).message}`, `see ${flag}`);
  }
  throw bad(`${path} is no PEM file: it has no line "-----BEGIN …"`, `see ${flag}`);
}

function bad(message: string, remedy: string): StoreError {
  return new StoreError("STORE_BAD_OPTION", message, remedy);
}
