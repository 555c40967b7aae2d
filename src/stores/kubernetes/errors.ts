/**
 * What an API server, or the way to it, says no with, in words for people: what was asked, why it failed, what to do.
 */
import { StoreError, type StoreErrorCode } from "../store.ts";
import { fieldsOf } from "./annotations.ts";

/** What the service account needs (flannel's ClusterRole). */
export const RBAC =
  'a ClusterRole with: resources ["nodes"], verbs ["get", "list", "watch"]; ["nodes/status"], ["patch"]; ["pods"], ["get"]';

/** What was asked, as RBAC names it. */
export interface Asked {
  readonly verb: "get" | "list" | "watch" | "patch";
  readonly resource: "nodes" | "nodes/status" | "pods";
  /** Null for all of them. */
  readonly name: string | null;
}

/** A request that failed. */
export class ApiError extends StoreError {
  /** HTTP's; 0 where there was no answer. */
  readonly status: number;
  /** Milliseconds that the server asks us to wait; 0 where it does not say. */
  readonly retryAfter: number;

  constructor(
    code: StoreErrorCode,
    message: string,
    remedy: string,
    about: { status?: number; passing?: boolean; retryAfter?: number; cause?: unknown } = {},
  ) {
    super(code, message, remedy, about.passing ?? false, about.cause);
    this.status = about.status ?? 0;
    this.retryAfter = about.retryAfter ?? 0;
  }

  /** Whether the same request is worth another try at once: the server, or the way to it, is in trouble. */
  get transient(): boolean {
    const { status, passing } = this;
    return status === 0 ? passing : status === 409 || status === 429 || status >= 500;
  }
}

/** An answer that is no success. @param body a Status object of Kubernetes', or whatever a proxy writes */
export function refusal(asked: Asked, server: string, status: number, body: string, wait = 0): ApiError {
  const said = messageOf(body);
  const what = `${asked.verb} ${asked.resource}${asked.name === null ? "" : ` ${asked.name}`}`;
  const at = `${server} refused to ${what}`;
  const about = { status, retryAfter: wait };
  switch (status) {
    case 401: {
      const remedy =
        "the token has expired or is of another cluster: see the service account, or the kubeconfig";
      return new ApiError("STORE_REFUSED", `${at}: it does not know us (401${said})`, remedy, about);
    }
    case 403: {
      const remedy = `the verb "${asked.verb}" on "${asked.resource}" is missing; we need ${RBAC}`;
      // Role and DaemonSet are often made in one breath.
      return new ApiError("STORE_REFUSED", `${at}: forbidden (403${said})`, remedy, {
        ...about,
        passing: true,
      });
    }
    case 404:
      return notFound(asked, server, about);
    case 409:
    case 410:
    case 429:
      return new ApiError("STORE_REFUSED", `${at} (${status}${said})`, "", { ...about, passing: true });
    default: {
      const passing = status >= 500;
      const code = passing ? "STORE_UNREACHABLE" : "STORE_REFUSED";
      const remedy = passing ? "see the API server's log" : "is it an API server of Kubernetes'?";
      return new ApiError(code, `${at} (${status}${said})`, remedy, { ...about, passing });
    }
  }
}

function notFound({ resource, name }: Asked, server: string, about: { status: number }): ApiError {
  if (name === null) {
    const message = `${server} has no ${resource}: it is no API server of Kubernetes'`;
    return new ApiError("STORE_REFUSED", message, "see the URL of the API server", about);
  }
  if (resource === "pods") {
    const remedy = "set NODE_NAME, or POD_NAME and POD_NAMESPACE, with fieldRef in the manifest";
    return new ApiError("STORE_NO_NODE", `there is no pod ${name}`, remedy, about);
  }
  const message = `Kubernetes has no node ${name}`;
  const remedy = "`kubectl get nodes` names them: is NODE_NAME right, and does the kubelet run?";
  return new ApiError("STORE_NO_NODE", message, remedy, { ...about, passing: true });
}

/** Certificates that do not convince us (Node's names for OpenSSL's X509_V_ERR_…, and for a wrong name). */
const CERTIFICATE = /CERT|SELF_SIGNED|UNABLE_TO_(GET|VERIFY)|ERR_TLS_/;

/** No answer at all. */
export function failure(server: string, cause: unknown): ApiError {
  if (cause instanceof ApiError) return cause;
  const { code = "", message } = cause as NodeJS.ErrnoException;
  if (CERTIFICATE.test(code)) {
    // A machine that boots may have no time yet.
    const passing = code === "CERT_NOT_YET_VALID";
    const remedy =
      passing || code === "CERT_HAS_EXPIRED"
        ? `see the clock of this node, which says ${new Date().toISOString()}, and the certificate's dates`
        : "its certificate has to be signed by the CA of the service account or kubeconfig, and to name the address in the URL";
    const text = `the certificate of ${server} is not to be trusted: ${message} (${code})`;
    return new ApiError("STORE_REFUSED", text, remedy, { passing, cause });
  }
  const remedy =
    code === "ENOTFOUND" ? "see the name in the URL, and DNS" : "is it running, and is there a way to it?";
  const text = `${server} cannot be reached: ${message || code}`;
  return new ApiError("STORE_UNREACHABLE", text, remedy, { passing: true, cause });
}

/** @returns ": message" of a Status object; "" of anything else */
function messageOf(body: string): string {
  try {
    const { message } = fieldsOf(JSON.parse(body));
    return typeof message === "string" && message !== "" ? `: ${message.slice(0, 300)}` : "";
  } catch {
    return "";
  }
}
