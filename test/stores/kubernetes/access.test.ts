/** How the API server is reached and convinced, and what is said where it is not. */
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { stringify } from "yaml";
import { StoreError } from "../../../src/stores/store.ts";
import { Heard } from "../../contract/heard.ts";
import { describeWith, tool } from "../../helpers/needs.ts";
import { until } from "../../helpers/until.ts";
import { makeAuthority } from "./certificates.ts";
import { certificates, KubernetesStage } from "./stage.ts";

let stage: KubernetesStage;

beforeEach(async () => {
  stage = await new KubernetesStage().started();
  stage.register(1);
});

afterEach(() => stage.close());

/** @returns what the error says, with its remedy */
async function failure(of: Promise<unknown>): Promise<StoreError> {
  const error = await of.then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(StoreError);
  return error as StoreError;
}

/** The path of a kubeconfig, as kubeadm writes one. */
function kubeconfig(user: object, cluster: object = {}): string {
  const path = join(stage.folder, "kube.conf");
  const config = {
    apiVersion: "v1",
    kind: "Config",
    clusters: [
      {
        name: "here",
        cluster: { server: `${stage.server.url}/`, "certificate-authority": "ca.crt", ...cluster },
      },
    ],
    contexts: [
      { name: "other", context: { cluster: "nowhere", user: "nobody" } },
      { name: "mine", context: { cluster: "here", user: "me" } },
    ],
    users: [{ name: "me", user }],
    "current-context": "mine",
  };
  writeFileSync(path, stringify(config));
  return path;
}

describeWith([tool("openssl")], "a pod's service account", () => {
  it("is a token and a CA", async () => {
    await stage.store("node-1").readHints();
    const [request] = stage.server.seen;
    expect(request?.path).toBe("/api/v1/nodes/node-1");
    expect(request?.headers).toMatchObject({ authorization: "Bearer token-1", accept: "application/json" });
  });

  it("gets a new token under way, and the request is made again", async () => {
    const store = stage.store("node-1");
    await store.readHints();
    stage.server.tokens.clear();
    stage.server.tokens.add("token-2");
    stage.giveToken("token-2");
    await store.readHints();
    expect(stage.server.seen.map(({ headers }) => headers.authorization)).toEqual([
      "Bearer token-1",
      "Bearer token-1",
      "Bearer token-2",
    ]);
  });

  it("whose token nobody knows is said", async () => {
    stage.giveToken("token-0");
    const error = await failure(stage.store("node-1").readHints());
    expect([error.code, error.passing]).toEqual(["STORE_REFUSED", false]);
    expect(error.message).toBe(
      `${stage.server.url} refused to get nodes node-1: it does not know us (401: test says Unauthorized)`,
    );
    expect(error.remedy).toMatch(/^the token has expired/);
  });

  it("that has no right is told which", async () => {
    stage.server.faults.push({ status: 403 });
    const error = await failure(stage.store("node-1").readHints());
    expect(error.code).toBe("STORE_REFUSED");
    expect(error.message).toMatch(/refused to get nodes node-1: forbidden \(403: test says Forbidden\)$/);
    expect(error.remedy).toBe(
      'the verb "get" on "nodes" is missing; we need a ClusterRole with: resources ["nodes"], verbs ["get", "list", "watch"]; ["nodes/status"], ["patch"]; ["pods"], ["get"]',
    );
  });

  it("that is not there is said", async () => {
    rmSync(join(stage.folder, "token"));
    const error = await failure(stage.store("node-1").readHints());
    expect(error.code).toBe("STORE_BAD_OPTION");
    expect(error.message).toMatch(/^the pod's service account cannot be read: ENOENT/);
  });

  it("is missed outside of a pod", async () => {
    const error = await failure(stage.store("node-1", { env: { NODE_NAME: "node-1" } }).readHints());
    expect([error.code, error.remedy]).toEqual([
      "STORE_BAD_OPTION",
      "outside of a pod give --kubeconfig-file, or --kube-api-url",
    ]);
  });
});

describeWith([tool("openssl")], "the API server", () => {
  it("that is down is said", async () => {
    await stage.server.stop();
    const error = await failure(stage.store("node-1").readHints());
    expect([error.code, error.passing]).toEqual(["STORE_UNREACHABLE", true]);
    expect(error.message).toMatch(/^https:\/\/127\.0\.0\.1:\d+ cannot be reached: connect ECONNREFUSED/);
  });

  it("with a certificate of somebody else's is not trusted", async () => {
    const stranger = makeAuthority("somebody else");
    await stage.server.stop();
    await stage.server.start(stranger.sign("kubernetes"));
    stranger.close();
    const error = await failure(stage.store("node-1").readHints());
    expect([error.code, error.passing]).toEqual(["STORE_REFUSED", false]);
    expect(error.message).toMatch(/^the certificate of https:\S+ is not to be trusted: .*\(\w+\)$/);
    expect(stage.server.seen).toEqual([]);
  });

  it("whose certificate names another host is not trusted", async () => {
    const path = kubeconfig({ token: "token-1" }, { "tls-server-name": "example.org" });
    const error = await failure(stage.store("node-1", { kubeconfig: path }).readHints());
    expect(error.message).toMatch(/not to be trusted: .*ERR_TLS_CERT_ALTNAME_INVALID/);
  });

  it("can have a new CA: the next request believes it", async () => {
    const next = makeAuthority("next CA");
    const store = stage.store("node-1");
    await stage.server.stop();
    await stage.server.start(next.sign("kubernetes"));
    await failure(store.readHints());
    writeFileSync(join(stage.folder, "ca.crt"), next.ca);
    next.close();
    await store.readHints();
  });

  it("that is none of Kubernetes' is said", async () => {
    stage.server.faults.push({ status: 200, body: "<html>hello</html>" });
    const error = await failure(stage.store("node-1").readHints());
    expect(error.message).toMatch(/its answer is no JSON/);
  });

  it("that says nothing is not waited for without end", async () => {
    stage.server.silent = true;
    const store = stage.store("node-1", { times: { patience: 200 } });
    const error = await failure(store.readHints());
    expect([error.code, error.passing]).toEqual(["STORE_UNREACHABLE", true]);
    expect(error.message).toMatch(/nothing was heard of it for 0\.2 s$/);
  });

  it("can be a proxy on this host, without TLS and without an account", async () => {
    await stage.close();
    stage = await new KubernetesStage({ plain: true }).started();
    stage.register(1);
    const options = { apiUrl: stage.server.url, serviceAccount: join(stage.folder, "none") };
    await stage.store("node-1", options).readHints();
    expect(stage.server.seen.map(({ headers }) => headers.authorization)).toEqual([undefined]);
  });

  it.each(["10.0.0.1:6443", "ftp://x", "here"])("is not at %s", async (apiUrl) => {
    const error = await failure(stage.store("node-1", { apiUrl }).readHints());
    expect(error.message).toBe(`"${apiUrl}" is no URL of an API server`);
  });
});

const ipv6 = networkInterfaces().lo?.some(({ address }) => address === "::1") ? null : "needs ::1";

describeWith([tool("openssl"), ipv6], "the API server of a cluster of IPv6", () => {
  it("is reached", async () => {
    await stage.close();
    stage = await new KubernetesStage({ host: "::1" }).started();
    stage.register(1);
    await stage.store("node-1").readHints();
    expect(stage.server.seen[0]?.headers.host).toBe(`[::1]:${stage.server.port}`);
  });
});

describeWith([tool("openssl")], "a kubeconfig", () => {
  it("has a server, its CA and a token", async () => {
    await stage
      .store("node-1", { kubeconfig: kubeconfig({ token: "token-1" }), env: { NODE_NAME: "node-1" } })
      .readHints();
    expect(stage.server.seen[0]?.headers.authorization).toBe("Bearer token-1");
  });

  it("has the CA in itself", async () => {
    const data = Buffer.from(certificates().ca).toString("base64");
    const cluster = { "certificate-authority": undefined, "certificate-authority-data": data };
    await stage.store("node-1", { kubeconfig: kubeconfig({ token: "token-1" }, cluster) }).readHints();
  });

  it("names a file with the token, which is read again when it is not taken any more", async () => {
    const store = stage.store("node-1", { kubeconfig: kubeconfig({ tokenFile: "token" }) });
    await store.readHints();
    stage.server.tokens.clear();
    stage.server.tokens.add("token-2");
    stage.giveToken("token-2");
    await store.readHints();
  });

  it("names a program that gives the token, which is run again when it is not taken any more", async () => {
    const program = join(stage.folder, "login");
    const answer = {
      apiVersion: "client.authentication.k8s.io/v1",
      kind: "ExecCredential",
      status: { token: "TOKEN", expirationTimestamp: "2999-01-01T00:00:00Z" },
    };
    const script = `#!/bin/sh\necho run >> ${stage.folder}/runs\necho '${JSON.stringify(answer)}' | sed "s/TOKEN/$(cat ${stage.folder}/token)/"\n`;
    writeFileSync(program, script);
    chmodSync(program, 0o755);
    const exec = {
      apiVersion: "client.authentication.k8s.io/v1",
      command: program,
      args: [],
      interactiveMode: "Never",
    };
    const store = stage.store("node-1", { kubeconfig: kubeconfig({ exec }) });
    await store.readHints();
    await store.readHints();
    const runs = (): number => readFileSync(join(stage.folder, "runs"), "utf8").split("\n").length - 1;
    expect(runs()).toBe(1);
    stage.server.tokens.clear();
    stage.server.tokens.add("token-2");
    stage.giveToken("token-2");
    await store.readHints();
    expect(runs()).toBe(2);
  });

  it("may name a program that never ends: the end of the store does not wait for it", async () => {
    const program = join(stage.folder, "hangs");
    writeFileSync(program, `#!/bin/sh\necho $$ > ${stage.folder}/pid\nexec sleep 600\n`);
    chmodSync(program, 0o755);
    const exec = {
      apiVersion: "client.authentication.k8s.io/v1",
      command: program,
      interactiveMode: "Never",
    };
    const store = stage.store("node-1", { kubeconfig: kubeconfig({ exec }) });
    const pid = (): number =>
      existsSync(join(stage.folder, "pid")) ? Number(readFileSync(join(stage.folder, "pid"), "utf8")) : 0;
    const heard = new Heard();
    store.watch(heard);
    await until("the program runs", () => pid() > 0);
    await store.close();
    process.kill(pid());
    expect(heard.calls).toBe(0);
  });

  it("has a certificate of ours instead of a token", async () => {
    await stage.close();
    stage = await new KubernetesStage({ clientCa: certificates().ca }).started();
    stage.register(1);
    const { cert, key } = certificates().client;
    writeFileSync(join(stage.folder, "client.key"), key);
    const user = {
      "client-certificate-data": Buffer.from(cert).toString("base64"),
      "client-key": "client.key",
    };
    await stage.store("node-1", { kubeconfig: kubeconfig(user) }).readHints();
    expect(stage.server.seen.map(({ headers }) => headers.authorization)).toEqual([undefined]);
  });

  it("with another URL given keeps its CA and token", async () => {
    const path = kubeconfig({ token: "token-1" }, { server: "https://192.0.2.1:6443" });
    await stage.store("node-1", { kubeconfig: path, apiUrl: stage.server.url }).readHints();
  });

  it.each([
    ["no file", "", /ENOENT/],
    ["no YAML", "a: [", /is of no use/],
    ["nothing", "", /ENOENT/],
    ["no context", "current-context: x\n", /has no context called "x"/],
  ])("that is %s is said", async (_, text, message) => {
    const path = join(stage.folder, "broken.conf");
    if (text !== "") writeFileSync(path, text);
    const error = await failure(stage.store("node-1", { kubeconfig: path }).readHints());
    expect(error.code).toBe("STORE_BAD_OPTION");
    expect(error.message).toMatch(message);
    expect(error.remedy).toBe(`\`kubectl --kubeconfig ${path} get nodes\` should work on this host`);
  });

  it("with a plug-in of the past, or a proxy, is said", async () => {
    const old = kubeconfig({ "auth-provider": { name: "gcp" } });
    expect((await failure(stage.store("node-1", { kubeconfig: old }).readHints())).message).toMatch(
      /its auth-provider "gcp" is of the past: use "exec"$/,
    );
    const proxied = kubeconfig({ token: "token-1" }, { "proxy-url": "http://proxy:3128" });
    expect((await failure(stage.store("node-1", { kubeconfig: proxied }).readHints())).message).toMatch(
      /proxy-url/,
    );
  });
});

describeWith([tool("openssl")], "the name of this node", () => {
  const pod = (name: string) => ({
    POD_NAME: name,
    POD_NAMESPACE: "kube-flannel",
    KUBERNETES_SERVICE_HOST: "127.0.0.1",
    KUBERNETES_SERVICE_PORT: String(stage.server.port),
  });

  it("is asked of our pod", async () => {
    stage.server.objects.pods.set("kube-flannel/kube-flannel-ds-abcde", "node-1");
    await stage.store("", { env: pod("kube-flannel-ds-abcde") }).readHints();
    expect(stage.server.seen.map(({ path }) => path)).toEqual([
      "/api/v1/namespaces/kube-flannel/pods/kube-flannel-ds-abcde",
      "/api/v1/nodes/node-1",
    ]);
  });

  it("is asked for where nothing says it", async () => {
    const { POD_NAME: _, ...env } = pod("");
    const error = await failure(stage.store("", { env }).readHints());
    expect([error.code, error.message]).toEqual([
      "STORE_BAD_OPTION",
      "which node is this? Neither NODE_NAME nor POD_NAME with POD_NAMESPACE is set",
    ]);
  });

  it("of a pod that is not there, or nowhere, is said", async () => {
    expect((await failure(stage.store("", { env: pod("gone") }).readHints())).message).toBe(
      "there is no pod kube-flannel/gone",
    );
    stage.server.objects.pods.set("kube-flannel/pending", "");
    const error = await failure(stage.store("", { env: pod("pending") }).readHints());
    expect([error.code, error.passing]).toEqual(["STORE_NO_NODE", true]);
  });
});

describeWith([tool("openssl")], "the configuration", () => {
  it("is the file that a ConfigMap is mounted as", async () => {
    writeFileSync(stage.netConfPath, '{"Network": "10.244.0.0/16"}\n');
    expect(await stage.store("node-1").readNetConf()).toBe('{"Network": "10.244.0.0/16"}\n');
    expect(stage.server.seen).toEqual([]);
  });

  it("that cannot be read is said", async () => {
    mkdirSync(stage.netConfPath);
    const error = await failure(stage.store("node-1").readNetConf());
    expect([error.code, error.passing]).toEqual(["STORE_NO_CONFIG", true]);
    expect(error.remedy).toMatch(/--net-config-path$/);
  });

  it("of the annotations' prefix has to make sense", () => {
    expect(() => stage.store("node-1", { annotationPrefix: "a/b/c" })).toThrow(StoreError);
  });
});
