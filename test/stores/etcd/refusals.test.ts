/** TLS, users, and all that can be wrong on the way: each said in words, with what to do. */
import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, createServer, type Server } from "node:net";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { EtcdStore, type EtcdStoreOptions } from "../../../src/stores/etcd/store.ts";
import type { StoreError } from "../../../src/stores/store.ts";
import { Heard } from "../../contract/heard.ts";
import { attributesOf, confOf } from "../../contract/store-world.ts";
import { describeWith, optionalPackage, tool } from "../../helpers/needs.ts";
import { until } from "../../helpers/until.ts";
import { Authority, type Pair } from "./certificates.ts";
import { EtcdServer, freePort } from "./server.ts";
import { PLAIN, QUICK } from "./stage.ts";

const CONF = '{"Network":"10.244.0.0/16","Backend":{"Type":"vxlan"}}';
const NEEDS = [tool("etcd"), tool("etcdctl"), optionalPackage("etcd3")];

const opened: EtcdStore[] = [];
afterEach(async () => {
  for (const store of opened.splice(0)) await store.close();
});

async function open(options: Partial<EtcdStoreOptions>): Promise<EtcdStore> {
  const store = await EtcdStore.open({ ...PLAIN, endpoints: "", ...options });
  opened.push(store);
  return store;
}

/** @returns how reading the configuration fails */
async function failure(options: Partial<EtcdStoreOptions>): Promise<StoreError> {
  const store = await open(options);
  return store.readNetConf().then(
    (conf) => {
      throw new Error(`it did not fail: ${conf}`);
    },
    (error: StoreError) => error,
  );
}

function acquire(store: EtcdStore, n = 1) {
  return store.acquire({ conf: confOf(CONF, "picked"), attributes: attributesOf(n), previous: null });
}

describeWith([optionalPackage("etcd3")], "an endpoint that is no etcd", () => {
  const servers: Server[] = [];
  afterAll(() => {
    for (const server of servers) server.close();
  });

  async function listen(server: Server): Promise<string> {
    servers.push(server);
    await once(server.listen(0, "127.0.0.1"), "listening");
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  it("is named where nobody listens", async () => {
    const endpoints = `http://127.0.0.1:${await freePort()}`;
    expect(await failure({ endpoints })).toMatchObject({
      code: "STORE_UNREACHABLE",
      passing: true,
      message: `etcd at ${endpoints}: nobody listens there`,
      remedy: "is etcd running?",
    });
  });

  it("is given up where it takes connections and says nothing", async () => {
    const endpoints = await listen(createServer(() => {}));
    const { message } = await failure({ endpoints, timings: { ...QUICK, call: 500 } });
    expect(message).toBe(`etcd at ${endpoints}: it does not answer in time`);
  });

  it("is told from etcd's v3 API where it speaks HTTP/1.1 only, as an etcd of version 2 does", async () => {
    const endpoints = await listen(createHttpServer((_, answer) => answer.end('{"etcdserver":"2.3.8"}')));
    const { message, remedy } = await failure({ endpoints });
    expect(message).toBe(`etcd at ${endpoints}: it does not speak etcd's v3 API`);
    expect(remedy).toContain(`curl ${endpoints}/version`);
  });
});

describeWith([...NEEDS, tool("openssl")], "etcd with TLS", () => {
  let authority: Authority;
  let server: EtcdServer;
  let endpoints: string;
  let ours: Pair;
  beforeAll(async () => {
    authority = new Authority();
    const { key, cert } = authority.issue("server");
    ours = authority.issue("client");
    server = await EtcdServer.start({
      scheme: "https",
      args: [
        "--cert-file",
        cert,
        "--key-file",
        key,
        "--trusted-ca-file",
        authority.cert,
        "--client-cert-auth",
      ],
      ctl: ["--cacert", authority.cert, "--cert", ours.cert, "--key", ours.key],
    });
    endpoints = server.url;
    await server.etcdctl("put", "/coreos.com/network/config", CONF);
  });
  afterAll(async () => {
    await server?.close();
    authority.remove();
  });

  it("takes a certificate that its CA has signed, for calls and for the watch", async () => {
    const store = await open({ endpoints, caFile: authority.cert, keyFile: ours.key, certFile: ours.cert });
    expect(await store.readNetConf()).toBe(CONF);
    const heard = await Heard.all(store);
    await heard.has(await acquire(store));
    // With other connections.
    await heard.has(await acquire(store, 51));
    expect([heard.faults, heard.troubles]).toEqual([[], []]);
  });

  it("is not trusted without its CA", async () => {
    const error = await failure({ endpoints, keyFile: ours.key, certFile: ours.cert });
    expect(error.message).toBe(
      `etcd at ${endpoints}: its certificate is signed by somebody whom we do not know`,
    );
    expect(error.remedy).toContain("--etcd-cafile");
  });

  it("is not trusted under another name than its certificate's", async () => {
    const elsewhere = endpoints.replace("127.0.0.1", "localhost");
    const { message } = await failure({ endpoints: elsewhere, caFile: authority.cert });
    expect(message).toBe(`etcd at ${elsewhere}: its certificate is for another name`);
  });

  it("wants our certificate, by a CA that it trusts", async () => {
    const other = new Authority();
    try {
      const { key, cert } = other.issue("stranger");
      for (const files of [{}, { keyFile: key, certFile: cert }]) {
        const { message, remedy } = await failure({ endpoints, caFile: authority.cert, ...files });
        expect(message).toBe(`etcd at ${endpoints}: it does not take our certificate`);
        expect(remedy).toContain("--etcd-certfile");
      }
    } finally {
      other.remove();
    }
  });

  it("is not reached with http", async () => {
    const plain = endpoints.replace("https", "http");
    const { message, remedy } = await failure({ endpoints: plain });
    expect(message).toContain("it ends the connection");
    expect(remedy).toContain("https://");
  });

  it("wants a key that belongs to the certificate", async () => {
    const { key } = authority.issue("another");
    await expect(open({ endpoints, keyFile: key, certFile: ours.cert })).rejects.toMatchObject({
      code: "STORE_BAD_OPTION",
      message: expect.stringContaining("key values mismatch"),
    });
  });
});

describeWith([...NEEDS, tool("openssl")], "etcd with a certificate, but none of ours", () => {
  it("is trusted by its CA alone", async () => {
    const authority = new Authority();
    const { key, cert } = authority.issue("server");
    const ctl = ["--cacert", authority.cert];
    const server = await EtcdServer.start({
      scheme: "https",
      args: ["--cert-file", cert, "--key-file", key],
      ctl,
    });
    try {
      const store = await open({ endpoints: server.url, caFile: authority.cert });
      expect(store.warnings).toHaveLength(1);
      await expect(store.readNetConf()).rejects.toMatchObject({
        code: "STORE_NO_CONFIG",
        remedy: expect.stringContaining(
          `etcdctl --endpoints ${server.url} --cacert ${authority.cert} put /coreos`,
        ),
      });
      const { message, remedy } = await failure({ endpoints: server.url.replace("https", "http") });
      expect(message).toContain("ends the connection");
      expect(remedy).toContain("https");
    } finally {
      await server.close();
      authority.remove();
    }
  });
});

describeWith(NEEDS, "etcd with users", () => {
  let server: EtcdServer;
  let endpoints: string;
  const user = { username: "flannel", password: "secret" };
  beforeAll(async () => {
    server = await EtcdServer.start();
    endpoints = server.url;
    await server.etcdctl("put", "/coreos.com/network/config", CONF);
    for (const name of ["root:root", "flannel:secret", "nobody:secret"])
      await server.etcdctl("user", "add", name);
    await server.etcdctl("user", "grant-role", "root", "root");
    await server.etcdctl("role", "add", "flannel");
    await server.etcdctl(
      "role",
      "grant-permission",
      "flannel",
      "--prefix=true",
      "readwrite",
      "/coreos.com/network/",
    );
    await server.etcdctl("user", "grant-role", "flannel", "flannel");
  });
  afterAll(() => server.close());

  it("takes any user while its authentication is off, and ours when it is switched on", async () => {
    const store = await open({ endpoints, ...user });
    expect(await store.readNetConf()).toBe(CONF);
    const heard = await Heard.all(store);
    await server.etcdctl("auth", "enable");
    server.ctl = ["--user", "root:root"];
    const lease = await acquire(store);
    await until("our lease is heard", () => heard.leases.has(lease.key));
    expect(heard.faults).toEqual([]);
  });

  it("takes a user with a password, for calls and for the watch", async () => {
    const store = await open({ endpoints, ...user });
    const heard = await Heard.all(store);
    const lease = await acquire(store, 2);
    await until("our lease is heard", () => heard.leases.has(lease.key));
    await acquire(store, 52);
    await until("it is heard as changed", () => heard.kinds(lease.key).includes("changed"));
    await store.release();
    await until("and that it is gone", () => !heard.leases.has(lease.key));
  });

  it("refuses a wrong password, nobody, and a user without the right", async () => {
    const cases = [
      [{ ...user, password: "wrong" }, "user or password is wrong", "--etcd-password"],
      [{}, "it wants a user and a password", "--etcd-username"],
      [{ ...user, username: "nobody" }, "this user may not do that", "readwrite"],
    ] as const;
    for (const [who, message, remedy] of cases) {
      expect(await failure({ endpoints, ...who })).toMatchObject({
        code: "STORE_REFUSED",
        passing: false,
        message: `etcd at ${endpoints}: ${message}`,
        remedy: expect.stringContaining(remedy),
      });
    }
  });

  it("a watch that is not allowed is told as trouble, once, and goes on when it is allowed", async () => {
    const heard = new Heard();
    (await open({ endpoints, ...user, username: "nobody" })).watch(heard);
    await until("the trouble is told", () => heard.troubles.length > 0);
    expect(heard.troubles).toEqual([`etcd at ${endpoints}: this user may not do that`]);
    await server.etcdctl("user", "grant-role", "nobody", "flannel");
    await until("all is told", () => heard.calls > 0);
    await until("it is well", () => heard.troubles.length === 2);
    expect(heard.faults).toEqual([]);
  });
});

describeWith(NEEDS, "etcd without a configuration", () => {
  it("is told how to get one", async () => {
    const server = await EtcdServer.start();
    try {
      const error = await failure({ endpoints: server.url, prefix: "/other/prefix" });
      expect(error).toMatchObject({ code: "STORE_NO_CONFIG", passing: true });
      const [, command] = /^write it: etcdctl (.*)$/.exec(error.remedy)!;
      expect(command).toBe(
        `--endpoints ${server.url} put /other/prefix/config '{"Network": "10.244.0.0/16", "Backend": {"Type": "vxlan"}}'`,
      );
    } finally {
      await server.close();
    }
  });
});
