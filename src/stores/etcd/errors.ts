/**
 * What went wrong between etcd and us, in words: gRPC's status and the texts of etcd, OpenSSL and Node → what happened
 * and what to do. Two kinds: nobody answered (the next endpoint is asked), and somebody said no (all would).
 */
import { StoreError } from "../store.ts";

/** The revision that was asked for is not kept any more (etcd's compaction). */
export class Compacted extends Error {
  readonly code = "COMPACTED";
}

/** The user's token is worth nothing, or etcd's authentication was switched on or off meanwhile. */
export type LoginTrouble = "off" | "on" | "stale";

export interface Explanation {
  /** One line, without the endpoint. */
  readonly reason: string;
  readonly remedy: string;
  /** Whether another endpoint may answer. */
  readonly unanswered: boolean;
  readonly passing: boolean;
}

interface Known {
  readonly pattern: RegExp;
  /** "" to leave the text as it is. */
  readonly reason: string;
  readonly remedy: string;
}

/** Nobody answered, or nobody who understands us. */
const UNANSWERED: readonly Known[] = [
  { pattern: /ECONNREFUSED/, reason: "nobody listens there", remedy: "is etcd running?" },
  { pattern: /EHOSTUNREACH|ENETUNREACH/, reason: "no route leads there", remedy: "see the node's routes" },
  {
    pattern: /Name resolution failed|ENOTFOUND|EAI_AGAIN/,
    reason: "its name is not known",
    remedy: "write its address, or see the node's DNS",
  },
  {
    pattern: /DEADLINE_EXCEEDED|request timed out|ETIMEDOUT/,
    reason: "it does not answer in time",
    remedy: "is it running, does a firewall drop the packets, have most of its cluster's members gone?",
  },
  { pattern: /no leader/, reason: "it has no leader", remedy: "most of its cluster's members have to run" },
  {
    pattern: /altnames|ERR_TLS_CERT_ALTNAME_INVALID/,
    reason: "its certificate is for another name",
    remedy: "write the endpoint with a name or address that is in the certificate",
  },
  {
    pattern: /certificate has expired|CERT_HAS_EXPIRED/,
    reason: "its certificate has expired",
    remedy: "renew it, or set the clock of this node",
  },
  {
    pattern: /unable to verify|self.signed certificate|issuer certificate|UNABLE_TO_/,
    reason: "its certificate is signed by somebody whom we do not know",
    remedy: "name the file of etcd's CA: --etcd-cafile",
  },
  {
    pattern: /alert (?:bad certificate|unknown ca|certificate required|number (?:42|48|116))/i,
    reason: "it does not take our certificate",
    remedy: "give one that etcd's --trusted-ca-file has signed: --etcd-certfile, --etcd-keyfile",
  },
  {
    pattern: /before secure TLS connection|wrong version number/,
    reason: "it ends the connection before TLS begins",
    remedy: "does it speak http only? Then write the endpoint with http://",
  },
  {
    pattern: /Protocol error|UNIMPLEMENTED|unknown service/,
    reason: "it does not speak etcd's v3 API",
    remedy: "an etcd of version 2 has to be updated; `curl ENDPOINT/version` says what it is",
  },
  { pattern: /Connection dropped|ECONNRESET/, reason: "the connection was lost", remedy: "is etcd running?" },
  {
    pattern: /Failed to connect|socket hang up/,
    reason: "it ends the connection",
    remedy: "does it speak https only? Then write the endpoint with https://",
  },
];

/** etcd said no. */
const REFUSED: readonly Known[] = [
  {
    pattern: /authentication failed/,
    reason: "user or password is wrong",
    remedy: "see --etcd-username and --etcd-password",
  },
  {
    pattern: /permission denied/,
    reason: "this user may not do that",
    remedy:
      "let its role read and write the prefix: etcdctl role grant-permission ROLE --prefix=true readwrite PREFIX",
  },
  {
    pattern: /user name is empty/,
    reason: "it wants a user and a password",
    remedy: "give --etcd-username and --etcd-password",
  },
  {
    pattern: /database space exceeded|NOSPACE/,
    reason: "its database is full",
    remedy: "compact and defragment it, then: etcdctl alarm disarm",
  },
];

/** gRPC's codes of a server that is not there or not well: CANCELLED, UNKNOWN, DEADLINE_EXCEEDED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE. */
const UNANSWERED_CODES = new Set([1, 2, 4, 12, 13, 14]);

/** @param error as the package etcd3 or gRPC threw it */
export function explain(error: unknown): Explanation {
  const text = textOf(error);
  const known = (list: readonly Known[]): Known | undefined => list.find(({ pattern }) => pattern.test(text));
  const refused = known(REFUSED);
  if (refused !== undefined) return { ...refused, unanswered: false, passing: /full/.test(refused.reason) };
  const code = Number(/^(\d+) [A-Z_]+:/.exec(text)?.[1] ?? Number.NaN);
  const unanswered = Number.isNaN(code) ? !text.includes("etcdserver:") : UNANSWERED_CODES.has(code);
  if (!unanswered) return { reason: plain(text), remedy: "", unanswered, passing: true };
  const { reason, remedy } = known(UNANSWERED) ?? { reason: plain(text), remedy: "see etcd's log" };
  return { reason, remedy, unanswered, passing: true };
}

/** @returns whether the token or the need of one has changed; null where it is something else */
export function loginTrouble(error: unknown): LoginTrouble | null {
  const text = textOf(error);
  if (text.includes("authentication is not enabled")) return "off";
  if (text.includes("user name is empty")) return "on";
  return /invalid auth token|revision of auth store is old/.test(text) ? "stale" : null;
}

export function isCompacted(error: unknown): boolean {
  return textOf(error).includes("required revision has been compacted");
}

/** @param failures one for each endpoint that was asked */
export function unreachable(failures: readonly (Explanation & { readonly url: string })[]): StoreError {
  const message = failures.map(({ url, reason }) => `etcd at ${url}: ${reason}`).join("; ");
  // Of several endpoints the last is the likeliest: the first of flannel's default is a port of old times.
  const remedy = (failures.at(-1)?.remedy ?? "").replace("ENDPOINT", failures.at(-1)?.url ?? "");
  return new StoreError("STORE_UNREACHABLE", message || "the store is closed", remedy, true);
}

export function refused(url: string, { reason, remedy, passing }: Explanation, cause: unknown): StoreError {
  return new StoreError("STORE_REFUSED", `etcd at ${url}: ${reason}`, remedy, passing, cause);
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Without gRPC's frame: "14 UNAVAILABLE: No connection established. Last error: X. Resolution note: ". */
function plain(text: string): string {
  const inner = text
    .replace(/^\d+ [A-Z_]+: /, "")
    .replace(/^etcdserver: /, "")
    .replace(/^No connection established\. Last error: (?:Error: )?/, "")
    .replace(/\.? Resolution note: ?.*$/s, "");
  return inner.split("\n")[0]!.slice(0, 200);
}
