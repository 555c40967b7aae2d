/** The plugin by CNI's rules: what a runtime tells it, what it tells its delegate, what it keeps, and how it fails. */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Outcome, runPlugin } from "../../src/cni/plugin.ts";

const ENV =
  "FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.1.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n";
const RESULT = {
  cniVersion: "1.0.0",
  ips: [
    { address: "10.244.1.2/24", gateway: "10.244.1.1" },
    { address: "fd00::2/64", gateway: "fd00::1" },
  ],
  routes: [{ dst: "10.244.0.0/16" }, { dst: "fd01::/16" }, { dst: "10.0.0.0/8", gw: "10.244.1.9" }],
};
/** With the gateways that bridge has used. */
const CHECKED = {
  ...RESULT,
  routes: [
    { dst: "10.244.0.0/16", gw: "10.244.1.1" },
    { dst: "fd01::/16", gw: "fd00::1" },
    { dst: "10.0.0.0/8", gw: "10.244.1.9" },
  ],
};

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "poplin-cni-"));
  mkdirSync(join(folder, "bin"));
  writeFileSync(join(folder, "subnet.env"), ENV);
  delegate("bridge", `test "$CNI_COMMAND" != ADD || echo '${JSON.stringify(RESULT)}'`);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A plugin that writes down what it was told, and goes on with a script. */
function delegate(type: string, script: string): void {
  const path = join(folder, "bin", type);
  const told = join(folder, "told");
  writeFileSync(
    path,
    `#!/bin/sh\n{ printf '%s ' "$CNI_COMMAND $CNI_IFNAME"; cat; echo; } >> ${told}\n${script}\n`,
  );
  chmodSync(path, 0o755);
}

function told(): { command: string; conf: Record<string, unknown> }[] {
  if (!existsSync(join(folder, "told"))) return [];
  const lines = readFileSync(join(folder, "told"), "utf8").trim().split("\n");
  return lines.map((line) => {
    const at = line.indexOf("{");
    return { command: line.slice(0, at).trim(), conf: JSON.parse(line.slice(at)) as Record<string, unknown> };
  });
}

function call(command: string, conf: object = {}, env: NodeJS.ProcessEnv = {}): Outcome {
  const places = { dataDir: join(folder, "data"), subnetFile: join(folder, "subnet.env") };
  const text = JSON.stringify({ name: "cbr0", type: "flannel", cniVersion: "1.0.0", ...places, ...conf });
  const variables = {
    PATH: process.env.PATH,
    CNI_COMMAND: command,
    CNI_CONTAINERID: "c1",
    CNI_NETNS: "/run/netns/c1",
    CNI_IFNAME: "eth0",
    CNI_PATH: `${join(folder, "none")}:${join(folder, "bin")}`,
  };
  return runPlugin({ ...variables, ...env }, () => text);
}

/** What it says when it fails. */
function failure(outcome: Outcome): Record<string, unknown> {
  expect(outcome.status).toBe(1);
  return JSON.parse(outcome.stdout) as Record<string, unknown>;
}

const kept = () => (existsSync(join(folder, "data")) ? readdirSync(join(folder, "data")) : []);
const FINE = { stdout: "", status: 0 };

describe("ADD, CHECK and DEL", () => {
  it("delegate, print the delegate's result, and keep its conf from ADD to DEL", () => {
    const added = call("ADD", { delegate: { hairpinMode: true } });
    expect([added.status, JSON.parse(added.stdout)]).toEqual([0, RESULT]);
    const conf = told()[0]!.conf;
    expect(conf).toMatchObject({ name: "cbr0", type: "bridge", hairpinMode: true, mtu: 1450 });
    const file = join(folder, "data", "c1");
    expect(JSON.parse(readFileSync(file, "utf8"))).toEqual(conf);
    expect((statSync(join(folder, "data")).mode & 0o777).toString(8)).toBe("700");
    expect((statSync(file).mode & 0o077).toString(8)).toBe("0");
    // What was kept counts, not what the configuration and subnet.env say by now.
    rmSync(join(folder, "subnet.env"));
    const later = { delegate: { type: "ipvlan" }, prevResult: RESULT };
    expect(call("CHECK", later)).toEqual(FINE);
    expect(call("DEL", later)).toEqual(FINE);
    expect(told().map(({ command }) => command)).toEqual(["ADD eth0", "CHECK eth0", "DEL eth0"]);
    expect(
      told()
        .slice(1)
        .map((one) => one.conf),
    ).toEqual([
      { ...conf, prevResult: CHECKED },
      { ...conf, prevResult: RESULT },
    ]);
    expect(kept()).toEqual([]);
  });

  it("DEL of what was not added, or is deleted, is fine, also where its namespace is gone", () => {
    expect(call("DEL", {}, { CNI_NETNS: "" })).toEqual(FINE);
    call("ADD");
    expect(call("DEL")).toEqual(FINE);
    expect(call("DEL")).toEqual(FINE);
    expect(told().map(({ command }) => command)).toEqual(["ADD eth0", "DEL eth0"]);
  });

  it("a failed DEL keeps the conf, so that it can be tried again", () => {
    call("ADD");
    delegate("bridge", `echo '{"code": 11, "msg": "busy", "details": "iptables"}'; exit 1`);
    expect(failure(call("DEL"))).toEqual({ cniVersion: "1.0.0", code: 11, msg: "busy", details: "iptables" });
    expect(kept()).toEqual(["c1"]);
    delegate("bridge", "");
    expect(call("DEL")).toEqual(FINE);
    expect(kept()).toEqual([]);
  });

  it("a failed ADD says why in the delegate's words, and leaves what DEL needs", () => {
    delegate("bridge", `echo '{"cniVersion": "1.0.0", "code": 100, "msg": "no address left"}'; exit 1`);
    expect(failure(call("ADD"))).toEqual({ cniVersion: "1.0.0", code: 100, msg: "no address left" });
    delegate("bridge", "");
    expect(call("DEL")).toEqual(FINE);
    expect(told().map(({ command }) => command)).toEqual(["ADD eth0", "DEL eth0"]);
    expect(kept()).toEqual([]);
  });

  it("CHECK of what was not added fails, and so does one that the delegate fails", () => {
    expect(failure(call("CHECK"))).toMatchObject({ code: 7, msg: expect.stringMatching(/c1 was not added/) });
    call("ADD");
    delegate("bridge", `echo '{"code": 100, "msg": "eth0 is gone"}'; exit 1`);
    expect(failure(call("CHECK"))).toMatchObject({ code: 100, msg: "eth0 is gone" });
  });

  it("a kept conf that is broken is made again; where that cannot be the pod may go all the same", () => {
    mkdirSync(join(folder, "data"));
    writeFileSync(join(folder, "data", "c1"), '{"type":');
    writeFileSync(join(folder, "data", ".c1"), "half");
    expect(call("DEL")).toEqual(FINE);
    expect(told()).toMatchObject([{ command: "DEL eth0", conf: { type: "bridge", name: "cbr0" } }]);
    writeFileSync(join(folder, "data", "c1"), "");
    rmSync(join(folder, "subnet.env"));
    expect(call("DEL")).toEqual(FINE);
    expect([told().length, kept()]).toEqual([1, []]);
  });

  it("deletes what flannel's own plugin has added", () => {
    mkdirSync(join(folder, "data"));
    const conf = { name: "cbr0", type: "bridge", cniVersion: "0.3.1", ipam: { type: "host-local" } };
    writeFileSync(join(folder, "data", "c1"), JSON.stringify(conf), { mode: 0o600 });
    expect(call("DEL")).toEqual(FINE);
    expect(told()).toEqual([{ command: "DEL eth0", conf }]);
  });
});

describe("failures of its own", () => {
  it.each<[string, string, NodeJS.ProcessEnv, number, RegExp]>([
    ["an unknown command", "MEND", {}, 4, /unknown CNI_COMMAND: MEND/],
    ["a name of Object's", "constructor", {}, 4, /unknown CNI_COMMAND/],
    [
      "variables that are missing",
      "ADD",
      { CNI_NETNS: "", CNI_PATH: undefined },
      4,
      /ADD needs CNI_PATH, CNI_NETNS /,
    ],
    ["a container that is a path", "DEL", { CNI_CONTAINERID: "../c1" }, 4, /CNI_CONTAINERID is no/],
    ["an interface that is a path", "ADD", { CNI_IFNAME: "a/b" }, 4, /CNI_IFNAME is no/],
    ["an interface of dots", "ADD", { CNI_IFNAME: ".." }, 4, /CNI_IFNAME is no/],
    ["an interface with a long name", "ADD", { CNI_IFNAME: "a234567890123456" }, 4, /CNI_IFNAME is no/],
    ["no delegate", "ADD", { CNI_PATH: "/nowhere:/none" }, 999, /no plugin "bridge" in \/nowhere, \/none/],
  ])("%s", (_what, command, env, code, said) => {
    expect(failure(call(command, {}, env))).toMatchObject({ code, msg: expect.stringMatching(said) });
    expect(told()).toEqual([]);
  });

  it("no subnet.env: try again, with what to look at; nothing is kept", () => {
    rmSync(join(folder, "subnet.env"));
    expect(failure(call("ADD"))).toEqual({
      cniVersion: "1.0.0",
      code: 11,
      msg: `there is no ${join(folder, "subnet.env")}`,
      details: expect.stringMatching(/is it running on this node/),
    });
    expect(kept()).toEqual([]);
  });

  it("a delegate that says nothing by CNI's rules, is killed, or cannot be run", () => {
    delegate("bridge", "echo oops; exit 3");
    expect(failure(call("ADD"))).toMatchObject({
      code: 999,
      msg: "the plugin bridge ended with exit code 3",
      details: "oops",
    });
    delegate("bridge", "kill -KILL $$");
    expect(failure(call("ADD"))).toMatchObject({ code: 999, msg: "the plugin bridge was ended by SIGKILL" });
    writeFileSync(join(folder, "bin", "bridge"), "#!/nowhere/sh\n");
    expect(failure(call("ADD"))).toMatchObject({
      code: 999,
      msg: expect.stringMatching(/could not be run: /),
    });
  });

  it("a delegate that does not read its conf, and one that ends before it could", () => {
    writeFileSync(join(folder, "bin", "bridge"), `#!/bin/sh\nexec <&-\necho '${JSON.stringify(RESULT)}'\n`);
    const big = { delegate: { filler: "x".repeat(1 << 20) } };
    expect(call("ADD", big).status).toBe(0);
    writeFileSync(join(folder, "bin", "bridge"), "#!/bin/sh\nexit 9\n");
    expect(failure(call("ADD", big))).toMatchObject({ msg: "the plugin bridge ended with exit code 9" });
  });

  it("a place where nothing can be kept: the delegate is not run", () => {
    writeFileSync(join(folder, "data"), "");
    expect(failure(call("ADD"))).toMatchObject({
      code: 5,
      msg: expect.stringMatching(/data\/c1 cannot be written: /),
    });
    expect(told()).toEqual([]);
  });
});

describe("versions", () => {
  it("VERSION names them all, and reads nothing", () => {
    const outcome = runPlugin({ CNI_COMMAND: "VERSION" }, () => expect.unreachable());
    expect(JSON.parse(outcome.stdout)).toEqual({
      cniVersion: "1.1.0",
      supportedVersions: ["0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"],
    });
  });

  it("without a command it says what it is", () => {
    expect(runPlugin({}, () => expect.unreachable())).toMatchObject({
      stdout: "",
      stderr: expect.stringMatching(/^CNI plugin flannel/),
      status: 0,
    });
  });

  it.each([
    ["CHECK", "0.3.1", 1],
    ["STATUS", "1.0.0", 1],
    ["GC", "1.0.0", 1],
    ["ADD", "0.3.2", 1],
  ])("%s is not there with %s", (command, cniVersion, code) => {
    expect(failure(call(command, { cniVersion }))).toMatchObject({ code });
  });

  it("errors are in the configuration's version; a configuration that says none means the first", () => {
    expect(failure(call("MEND", { cniVersion: "0.4.0" }))).toMatchObject({ cniVersion: "0.4.0" });
    expect(failure(call("MEND", { cniVersion: undefined }))).toMatchObject({ cniVersion: "0.1.0" });
    expect(call("ADD", { cniVersion: undefined }).status).toBe(0);
    expect(told()[0]!.conf).not.toHaveProperty("cniVersion");
  });

  it("STATUS says whether pods can be added; GC finds nothing to do; neither needs a container", () => {
    const none = { CNI_CONTAINERID: undefined, CNI_IFNAME: undefined, CNI_NETNS: undefined };
    expect(call("STATUS", { cniVersion: "1.1.0" }, none)).toEqual(FINE);
    expect(call("GC", { cniVersion: "1.1.0" }, none)).toEqual(FINE);
    rmSync(join(folder, "subnet.env"));
    expect(failure(call("STATUS", { cniVersion: "1.1.0" }, none))).toMatchObject({ code: 50 });
  });
});
