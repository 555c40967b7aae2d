/**
 * Calls to etcd, one endpoint at a time: the one that answered last is asked first, and where it does not answer in time
 * the next one is. The npm package etcd3 knows the protocol; its own retries, circuit breakers and watches are not used:
 * they hide for how long nobody has answered, and from which revision a watch goes on.
 *
 * The package is loaded when a store is opened, and not before: it costs some 30 MB and half a second.
 */
import type {
  Etcd3,
  ILeaseGrantResponse,
  IRangeRequest,
  IRangeResponse,
  ITxnRequest,
  ITxnResponse,
  IWatchCreateRequest,
  IWatchResponse,
} from "etcd3";
import { type Meter, metered, NO_METER } from "../meter.ts";
import { StoreError } from "../store.ts";
import { clientOptions, requireLeader } from "./connect.ts";
import {
  Compacted,
  type Explanation,
  explain,
  isCompacted,
  loginTrouble,
  refused,
  unreachable,
} from "./errors.ts";
import type { EtcdEndpoint, EtcdSettings } from "./options.ts";

/** A watch that is open. */
export interface EtcdWatch {
  close(): void;
}

/** What a watch tells. After `ended` it tells nothing. */
export interface EtcdWatchListener {
  response(response: IWatchResponse): void;
  ended(error: StoreError): void;
}

interface Member {
  readonly endpoint: EtcdEndpoint;
  client: Etcd3;
  /** Whether it is our user's; nobody's where etcd's authentication is off, which refuses users then. */
  asUser: boolean;
}

/** etcd, behind whichever of its endpoints answers. */
export class EtcdClient {
  readonly #connect: (endpoint: EtcdEndpoint, asUser: boolean) => Etcd3;
  readonly #members: readonly Member[];
  readonly #hasUser: boolean;
  readonly #meter: Meter;
  /** How each that waits for something over a connection is told that nothing comes any more. */
  readonly #waiting = new Set<(error: Error) => void>();
  #current = 0;
  #closed = false;

  private constructor(module: typeof import("etcd3"), settings: EtcdSettings, meter: Meter) {
    this.#meter = meter;
    this.#connect = (endpoint, asUser) => new module.Etcd3(clientOptions(endpoint, settings, asUser));
    this.#hasUser = settings.user !== null;
    this.#members = settings.endpoints.map((endpoint) => ({
      endpoint,
      client: this.#connect(endpoint, this.#hasUser),
      asUser: this.#hasUser,
    }));
  }

  /** Loads the package. Connects to nobody yet. @throws StoreError where it is not installed, or key and certificate differ */
  static async open(settings: EtcdSettings, meter: Meter = NO_METER): Promise<EtcdClient> {
    const module = await import("etcd3").catch((error: Error) => {
      const reason = error.message.split("\n")[0];
      const remedy = "install it: npm install etcd3@1.1.2";
      throw new StoreError(
        "STORE_BAD_OPTION",
        `the npm package etcd3 does not load: ${reason}`,
        remedy,
        false,
        error,
      );
    });
    try {
      return new EtcdClient(module, settings, meter);
    } catch (error) {
      // OpenSSL looks at them here: "error:05800074:x509 certificate routines::key values mismatch".
      const reason = (error as Error).message.split(":").at(-1);
      const remedy = "see --etcd-keyfile, --etcd-certfile and --etcd-cafile";
      throw new StoreError(
        "STORE_BAD_OPTION",
        `the TLS files for etcd do not suit: ${reason}`,
        remedy,
        false,
        error,
      );
    }
  }

  /** The URL of the endpoint that answered last. */
  get endpoint(): string {
    return this.#member.endpoint.url;
  }

  get #member(): Member {
    return this.#members[this.#current]!;
  }

  /** @throws StoreError, Compacted */
  range(request: IRangeRequest): Promise<IRangeResponse> {
    return this.#call("range", (client) => client.kv.range(request));
  }

  /** @throws StoreError */
  txn(request: ITxnRequest): Promise<ITxnResponse> {
    return this.#call("txn", (client) => client.kv.txn(request));
  }

  /** @param ttl seconds. @throws StoreError */
  grant(ttl: number): Promise<ILeaseGrantResponse> {
    return this.#call("grant", (client) => client.leaseClient.leaseGrant({ TTL: ttl }));
  }

  /** Ends an etcd lease, and with it the keys that have it. @throws StoreError */
  async revoke(id: string): Promise<void> {
    await this.#call("revoke", (client) => client.leaseClient.leaseRevoke({ ID: id }));
  }

  /** Opens a watch at the endpoint that answered last. @throws StoreError */
  async watch(request: IWatchCreateRequest, listener: EtcdWatchListener): Promise<EtcdWatch> {
    const { client, endpoint } = this.#member;
    const failed = (error: unknown): StoreError => unreachable([{ ...explain(error), url: endpoint.url }]);
    let open = true;
    const close = (): void => {
      open = false;
      this.#waiting.delete(end);
    };
    const end = (error: unknown): void => {
      if (open) listener.ended(failed(error));
      close();
    };
    const opening = client.watchClient.watch({ interceptors: [requireLeader] });
    const stream = await opening.catch((error: unknown) => {
      throw failed(error);
    });
    stream.on("data", (response: IWatchResponse) => {
      if (open) listener.response(response);
    });
    stream.on("error", end);
    stream.on("end", () => end(new Error("it has ended the watch")));
    stream.write({ create_request: request });
    this.#waiting.add(end);
    return {
      close: () => {
        close();
        // The package takes the end of a stream that can be written to for the end of the connection.
        stream.end();
        stream.cancel();
      },
    };
  }

  /**
   * Connects anew: the connections that there are may be silent for good. Calls that wait are made again, and watches end.
   *
   * Not where a user logs in without TLS: the package logs in over a connection of its own, which only it can end.
   */
  reconnect(): void {
    if (this.#closed || (this.#hasUser && this.#members.some(({ endpoint }) => !endpoint.secure))) return;
    for (const member of this.#members) {
      member.client.close();
      member.client = this.#connect(member.endpoint, member.asUser);
    }
    for (const giveUp of [...this.#waiting]) giveUp(new Error("its connection was given up"));
  }

  close(): void {
    this.#closed = true;
    for (const { client } of this.#members) client.close();
  }

  /** One round through the endpoints. @param operation for who counts them */
  #call<T>(operation: string, work: (client: Etcd3) => Promise<T>): Promise<T> {
    return metered(this.#meter, operation, () => this.#round(work));
  }

  async #round<T>(work: (client: Etcd3) => Promise<T>): Promise<T> {
    const failures: (Explanation & { url: string })[] = [];
    const first = this.#current;
    for (let turn = 0; turn < this.#members.length && !this.#closed; turn++) {
      const index = (first + turn) % this.#members.length;
      const member = this.#members[index]!;
      try {
        const result = await this.#ask(member, work);
        this.#current = index;
        return result;
      } catch (error) {
        if (isCompacted(error)) throw new Compacted();
        const { url } = member.endpoint;
        const why = explain(error);
        if (!why.unanswered) throw refused(url, why, error);
        failures.push({ ...why, url });
      }
    }
    // In the order in which they were written.
    throw unreachable([...failures.slice(-first), ...failures.slice(0, -first)]);
  }

  /** Logs in again where that may help: etcd forgets a token after five minutes in which nobody used it. */
  async #ask<T>(member: Member, work: (client: Etcd3) => Promise<T>): Promise<T> {
    const { client } = member;
    try {
      return await this.#unlessGone(work(client));
    } catch (error) {
      if (this.#closed) throw error;
      // Otherwise another call has done it already, or we have connected anew.
      if (member.client === client) {
        const trouble = this.#hasUser ? loginTrouble(error) : null;
        if (trouble === null) throw error;
        client.close();
        member.asUser = trouble !== "off";
        member.client = this.#connect(member.endpoint, member.asUser);
      }
      return this.#unlessGone(work(member.client));
    }
  }

  /** Waits for an answer, but not for longer than its connection is ours. */
  #unlessGone<T>(answer: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#waiting.add(reject);
      void answer.then(resolve, reject).finally(() => this.#waiting.delete(reject));
    });
  }
}
