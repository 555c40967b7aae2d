/** What is taken out of a report, and what is not. */
import { describe, expect, it } from "vitest";
import { isSecretName, Redactor } from "../../../src/cli/report/redact.ts";

describe("by value", () => {
  const value = 'hunter2"/ü';

  it.each([
    ["as it is", `log: wrong user root/${value}`],
    ["in JSON", JSON.stringify({ said: value })],
    ["in a URL", `http://10.0.0.5/?a=${encodeURIComponent(value)}`],
    ["in base64", `data: ${Buffer.from(value).toString("base64")}`],
  ])("%s", (_where, text) => {
    const redactor = new Redactor([{ name: "etcd-password", value }]);
    expect(redactor.redact(text)).toContain("[redacted: etcd-password]");
    expect(redactor.counts.get("etcd-password")).toBe(1);
  });

  it("the longer of two first, of which one is a part of the other", () => {
    const redactor = new Redactor([
      { name: "short", value: "open" },
      { name: "long", value: "open-sesame" },
    ]);
    expect(redactor.redact("open-sesame open")).toBe("[redacted: long] [redacted: short]");
  });

  it("one of three letters would be found in every other word", () => {
    expect(new Redactor([{ name: "pin", value: "an" }]).redact("and an agent")).toBe("and an agent");
  });
});

it.each([
  ["--etcd-password hunter2 --v 1", "hunter2"],
  ["--etcd-password=hunter2", "hunter2"],
  ["FLANNELD_ETCD_PASSWORD=hunter2", "hunter2"],
  ['{"password": "hunter2 \\" more", "x": 1}', "hunter2"],
  ["password: 'hunter2 more'", "more"],
  ["token: hunter2", "hunter2"],
  ["client-key-data: aHVudGVyMg==", "aHVudGVyMg"],
  ["http://root:hunter2@10.0.0.5:2379", "hunter2"],
  ["http://root:hun@ter2@10.0.0.5:2379", "hun"],
  ["Authorization: Bearer abc.def-123456", "abc.def"],
  ['{"authorization":"Basic cm9vdDpodW50ZXIy"}', "cm9vdDp"],
  ["said: bearer abc.def-1234567890", "abc.def"],
  ["eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJrdWJlIn0.c2lnbmF0dXJl", "eyJpc3M"],
  ["-----BEGIN EC PRIVATE KEY-----\nMHcCAQEE\n-----END EC PRIVATE KEY-----", "MHcCAQEE"],
])("by its looks: %s", (text, secret) => {
  const redactor = new Redactor([]);
  expect(redactor.redact(text)).toContain("[redacted]");
  expect(redactor.redact(text)).not.toContain(secret);
});

it.each([
  "flannel.1 00:00:00:00:00:00 dst 172.19.0.3 via eth0 self permanent",
  "--etcd-endpoints http://10.0.0.5:2379,http://10.0.0.6:2379 --etcd-username root",
  "drop PKT_TOO_BIG 17",
  "basic information, the bearer certificates",
  "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
  "see https://nodejs.org/api/net.html for key and password",
])("what is none stays: %s", (text) => {
  const redactor = new Redactor([]);
  expect(redactor.redact(text)).toBe(text);
  expect(redactor.counts.size).toBe(0);
});

it("names of secrets, and of files that have one", () => {
  const secret = [
    "FLANNELD_ETCD_PASSWORD",
    "etcd-password",
    "token",
    "AWS_SECRET_ACCESS_KEY",
    "client-key-data",
  ];
  for (const name of secret) expect(isSecretName(name), name).toBe(true);
  const none = ["etcd-keyfile", "tokenFile", "POPLIN_SOCKET", "NODE_NAME", "vtepMac", "PATH"];
  for (const name of none) expect(isSecretName(name), name).toBe(false);
});
