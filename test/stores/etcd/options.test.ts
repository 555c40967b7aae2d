import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type EtcdStoreOptions, readEtcdOptions } from "../../../src/stores/etcd/options.ts";
import { EtcdStore } from "../../../src/stores/etcd/store.ts";
import { StoreError } from "../../../src/stores/store.ts";
import { ROOT } from "../../helpers/imports.ts";
import { describeWith } from "../../helpers/needs.ts";
import { PLAIN } from "./stage.ts";

const DEFAULTS = "http://127.0.0.1:4001,http://127.0.0.1:2379";

function read(options: Partial<EtcdStoreOptions> = {}) {
  return readEtcdOptions({ ...PLAIN, endpoints: DEFAULTS, ...options });
}

function refusal(options: Partial<EtcdStoreOptions>): string {
  try {
    read(options);
  } catch (error) {
    expect(error).toBeInstanceOf(StoreError);
    const { code, remedy, message } = error as StoreError;
    expect(code).toBe("STORE_BAD_OPTION");
    expect(remedy).not.toBe("");
    return message;
  }
  throw new Error("it was taken");
}

describe("endpoints of etcd", () => {
  it("are flannel's two by default", () => {
    expect(read().endpoints).toEqual([
      { url: "http://127.0.0.1:4001", host: "127.0.0.1:4001", secure: false },
      { url: "http://127.0.0.1:2379", host: "127.0.0.1:2379", secure: false },
    ]);
  });

  it.each([
    ["10.0.0.1:2379", "http://10.0.0.1:2379"],
    ["etcd.example", "http://etcd.example:2379"],
    ["https://etcd.example/", "https://etcd.example:2379"],
    ["https://etcd.example:443", "https://etcd.example:443"],
    ["http://[fd00::1]:2379", "http://[fd00::1]:2379"],
    [" http://a:1 , ,http://b:2", "http://a:1 http://b:2"],
  ])("%s is %s", (text, urls) => {
    expect(
      read({ endpoints: text })
        .endpoints.map(({ url }) => url)
        .join(" "),
    ).toBe(urls);
  });

  it.each([
    "",
    " , ",
    "http://",
    "unix:///run/etcd",
    "http://etcd.example/v2/keys",
    "http://u:p@etcd.example",
  ])("%j is refused", (endpoints) => {
    expect(refusal({ endpoints })).toContain("etcd endpoint");
  });
});

describe("the prefix", () => {
  it.each([
    ["/coreos.com/network", "/coreos.com/network"],
    ["/coreos.com/network/", "/coreos.com/network"],
    ["//coreos.com//network", "/coreos.com/network"],
    ["network", "network"],
  ])("%s makes the keys that flannel makes of it", (prefix, canonical) => {
    expect(read({ prefix }).prefix).toBe(canonical);
  });
});

describe("TLS files", () => {
  const folder = mkdtempSync(join(tmpdir(), "poplin-etcd-options-"));
  const pem = join(folder, "some.pem");
  const secure = { endpoints: "https://127.0.0.1:2379" };
  beforeAll(() => writeFileSync(pem, "-----BEGIN CERTIFICATE-----\n"));
  afterAll(() => rmSync(folder, { recursive: true }));

  it("are read, all three", () => {
    const { tls, warnings } = read({ ...secure, keyFile: pem, certFile: pem, caFile: pem });
    expect([tls.key, tls.cert, tls.ca].map(String)).toEqual(Array(3).fill("-----BEGIN CERTIFICATE-----\n"));
    expect(warnings).toEqual([]);
  });

  it("a CA alone is used, which flannel does not, and that is said", () => {
    const { tls, warnings } = read({ ...secure, caFile: pem });
    expect(String(tls.ca)).toContain("BEGIN");
    expect(warnings).toEqual([expect.stringMatching(/checked against .*flannel ignores/)]);
  });

  it("do nothing with http, and that is said", () => {
    expect(read({ keyFile: pem, certFile: pem }).warnings).toEqual([
      expect.stringMatching(/^http:\/\/127\.0\.0\.1:4001, http:\/\/127\.0\.0\.1:2379: no TLS/),
    ]);
  });

  it("a key wants its certificate, and the other way round", () => {
    expect(refusal({ ...secure, keyFile: pem })).toContain("a key");
    expect(refusal({ ...secure, certFile: pem })).toContain("a certificate");
  });

  it("what cannot be read, or is something else, is refused by its name", () => {
    expect(refusal({ ...secure, caFile: join(folder, "none") })).toContain(join(folder, "none"));
    writeFileSync(join(folder, "other"), "hello");
    expect(refusal({ ...secure, caFile: join(folder, "other") })).toContain("is no PEM file");
  });
});

describe("a user", () => {
  it("may have no password, and a password wants a user", () => {
    expect(read({ username: "flannel" }).user).toEqual({ username: "flannel", password: "" });
    expect(read().user).toBe(null);
    expect(refusal({ password: "secret" })).not.toContain("secret");
  });
});

describe("times", () => {
  it.each([0, 1440, Number.NaN])("a margin of %d minutes is refused", (renewMargin) => {
    expect(refusal({ renewMargin })).toContain("before its end");
  });

  it("are flannel's: a day, renewed as many minutes before its end as is said", () => {
    expect(
      readEtcdOptions({ ...PLAIN, endpoints: DEFAULTS, timings: {}, renewMargin: 90 }).timings,
    ).toMatchObject({
      ttl: 86400,
      renewBefore: 90 * 60_000,
      renewRetry: 60_000,
    });
  });
});

// Not `optionalPackage`, which loads it.
const installed = existsSync(join(ROOT, "node_modules/etcd3")) ? null : "needs the npm package etcd3";

describeWith([installed], "the package that speaks etcd's protocol", () => {
  it("is loaded when a store is opened, and not with the store's file", async () => {
    const { cache } = createRequire(import.meta.url);
    const loaded = () =>
      Object.keys(cache).filter((path) => /node_modules\/(etcd3|@grpc)\//.test(path)).length;
    expect(loaded()).toBe(0);
    await (await EtcdStore.open({ ...PLAIN, endpoints: DEFAULTS })).close();
    expect(loaded()).toBeGreaterThan(0);
  });
});
