/** How the package etcd3 connects to one endpoint: TLS, user, times, and nothing of its own accord. */
import type { Etcd3, IOptions } from "etcd3";
import type { EtcdEndpoint, EtcdSettings, EtcdTls } from "./options.ts";

/** Milliseconds between two pings of HTTP/2 while a watch is open: etcd ends connections with more than one in five seconds. */
const PING_EVERY = 10_000;

type CallOptions = NonNullable<Parameters<Etcd3["watchClient"]["watch"]>[0]>;
type Interceptor = NonNullable<CallOptions["interceptors"]>[number];
type Policy = ReturnType<NonNullable<NonNullable<IOptions["faultHandling"]>["host"]>>;

/** How many there have been. */
let connections = 0;

/** For one client: another has other connections. @param asUser whether to log in, where there is a user */
export function clientOptions(
  endpoint: EtcdEndpoint,
  { tls, user, timings }: EtcdSettings,
  asUser: boolean,
): IOptions {
  // A new deadline for each call; a watch has none. gRPC makes a timer of it at once: the clock may be wrong, or change.
  const defaultCallOptions: IOptions["defaultCallOptions"] = ({ isStream }) =>
    isStream ? {} : { deadline: Date.now() + timings.call };
  return {
    hosts: endpoint.url,
    defaultCallOptions,
    faultHandling: { host: () => once, global: once },
    grpcOptions: {
      // gRPC gives channels with the same options one connection, also one that is lost and does not know it yet.
      "poplin.connection": ++connections,
      // etcd's own clients ask no proxy.
      "grpc.enable_http_proxy": 0,
      "grpc.initial_reconnect_backoff_ms": timings.backoffFirst,
      "grpc.min_reconnect_backoff_ms": timings.backoffFirst,
      "grpc.max_reconnect_backoff_ms": timings.backoffMost,
      // The other end may be gone without a word.
      "grpc.keepalive_time_ms": PING_EVERY,
      "grpc.keepalive_timeout_ms": timings.call,
      // A thousand changes after a break come in one message, and each may be as long as somebody wants.
      "grpc.max_receive_message_length": -1,
    },
    ...(endpoint.secure ? { credentials: credentials(tls) } : {}),
    ...(user !== null && asUser ? { auth: user } : {}),
  };
}

/** Without a CA Node's own are asked, which the type does not know. */
function credentials({ key, cert, ca }: EtcdTls): NonNullable<IOptions["credentials"]> {
  return { rootCertificate: ca, privateKey: key, certChain: cert } as NonNullable<IOptions["credentials"]>;
}

/** A policy of one try. */
const once: Policy = {
  _altReturn: undefined as never,
  onSuccess: () => ({ dispose() {} }),
  onFailure: () => ({ dispose() {} }),
  execute: async (work) => work({ signal: new AbortController().signal }),
};

/** A member that is cut off from the others ends the watch instead of staying silent (etcd's WithRequireLeader). */
export const requireLeader: Interceptor = (options, nextCall) => {
  const call = nextCall(options);
  const start = call.start.bind(call);
  call.start = (metadata, listener) => {
    const own = metadata.clone();
    own.set("hasleader", "true");
    start(own, listener);
  };
  return call as ReturnType<Interceptor>;
};
