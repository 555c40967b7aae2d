/** The lab's container runtime: what plugins are told, in which order, and what is left when one of them fails. */
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { type Attachment, CniPluginError, CniRuntime } from "../../../src/lab/cni.ts";
import type { Host } from "../../../src/lab/host.ts";
import { Lab } from "../../../src/lab/lab.ts";
import { describeWith, namespaces } from "../../helpers/needs.ts";

/** Writes down what it was told, and says what its configuration wants it to say. */
const PLUGIN = `#!${process.execPath}
const { appendFileSync, readFileSync } = require("node:fs");
const conf = JSON.parse(readFileSync(0, "utf8"));
const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => name.startsWith("CNI_")));
appendFileSync(conf.told, JSON.stringify({ env, conf, net: require("node:fs").readlinkSync("/proc/self/ns/net") }) + "\\n");
if (conf.kill === env.CNI_COMMAND) process.kill(process.pid, "SIGKILL");
if (conf.fail === env.CNI_COMMAND) {
  console.log(JSON.stringify({ cniVersion: "1.0.0", code: 11, msg: "try again", details: "busy" }));
  process.exit(1);
}
if (env.CNI_COMMAND === "ADD") {
  const interfaces = [...(conf.prevResult?.interfaces ?? []), { name: conf.type }];
  console.log(JSON.stringify({ cniVersion: conf.cniVersion, interfaces }));
}
`;

interface Told {
  readonly env: Record<string, string>;
  readonly conf: Record<string, unknown>;
  readonly net: string;
}

let lab: Lab;
let node: Host;
let pod: Host;
beforeEach(() => {
  lab = Lab.create();
  node = lab.addHost("node-a");
  pod = lab.addHost("pod-a");
  for (const name of ["bin", "conf"]) mkdirSync(lab.file(name), { recursive: true });
  for (const type of ["one", "two", "three"]) {
    writeFileSync(join(lab.file("bin"), type), PLUGIN);
    chmodSync(join(lab.file("bin"), type), 0o755);
  }
});
afterEach(() => lab.destroy());

const CAPABLE = { capabilities: { portMappings: true, bandwidth: false } };
const MAPPED = {
  portMappings: [{ hostPort: 8080, containerPort: 80, protocol: "tcp" }],
  bandwidth: { x: 1 },
};

/** @param more of each plugin's part, in order */
function runtime(more: readonly object[] = [{}, CAPABLE], file = "10-net.conflist"): CniRuntime {
  const told = lab.file("told");
  const types = ["one", "two", "three"];
  const plugins = more.map((own, i) => ({ type: types[i]!, told, ...own }));
  writeFileSync(join(lab.file("conf"), file), JSON.stringify({ cniVersion: "1.0.0", name: "net", plugins }));
  return new CniRuntime(node, {
    conf: lab.file("conf"),
    bin: [lab.file("none"), lab.file("bin")],
    cache: lab.file("cache"),
  });
}

function told(): Told[] {
  const lines = readFileSync(lab.file("told"), "utf8").trim().split("\n");
  return lines.map((line) => JSON.parse(line) as Told);
}

const calls = () => told().map(({ env, conf }) => `${env.CNI_COMMAND} ${conf.type}`);
const kept = () => (existsSync(lab.file("cache")) ? readdirSync(lab.file("cache")) : []);

describeWith([namespaces()], "the lab's container runtime", () => {
  it("runs plugins in order, in the node's namespace, each with the result before it; DEL the other way round", async () => {
    const cni = runtime();
    const attachment: Attachment = { args: { A: "1", B: "2" }, capabilities: MAPPED };
    const result = await cni.add(pod, attachment);
    expect(result.interfaces).toEqual([{ name: "one" }, { name: "two" }]);
    await cni.check(pod);
    await cni.del(pod);
    expect(calls()).toEqual(["ADD one", "ADD two", "CHECK one", "CHECK two", "DEL two", "DEL one"]);
    const [one, two, ...later] = told();
    const net = (await node.exec("readlink", ["/proc/self/ns/net"])).stdout.trim();
    expect(told().every((call) => call.net === net)).toBe(true);
    expect(one!.env).toEqual({
      CNI_COMMAND: "ADD",
      CNI_CONTAINERID: pod.namespace,
      CNI_NETNS: `/run/netns/${pod.namespace}`,
      CNI_IFNAME: "eth0",
      CNI_ARGS: "A=1;B=2",
      CNI_PATH: `${lab.file("none")}:${lab.file("bin")}`,
    });
    expect(one!.conf).toEqual({ type: "one", told: lab.file("told"), name: "net", cniVersion: "1.0.0" });
    expect(two!.conf).toMatchObject({
      prevResult: { interfaces: [{ name: "one" }] },
      runtimeConfig: { portMappings: MAPPED.portMappings },
    });
    expect(two!.conf.runtimeConfig).not.toHaveProperty("bandwidth");
    expect(two!.conf).not.toHaveProperty("capabilities");
    // What ADD was given, without having been said again.
    for (const call of later) {
      expect(call.conf.prevResult).toEqual(result);
      expect(call.env.CNI_ARGS).toBe("A=1;B=2");
    }
    expect(later[1]!.conf.runtimeConfig).toEqual({ portMappings: MAPPED.portMappings });
    expect(kept()).toEqual([]);
  });

  it("a failed ADD throws what the plugin said, and is followed by DEL of all; unless it is left to the caller", async () => {
    const cni = runtime([{}, { fail: "ADD" }, {}]);
    const error = await cni.add(pod).catch((thrown) => thrown);
    expect(error).toBeInstanceOf(CniPluginError);
    expect(error).toMatchObject({
      plugin: "two",
      command: "ADD",
      cni: { code: 11, msg: "try again", details: "busy" },
    });
    expect(error.message).toBe("ADD by two: try again (code 11); busy");
    expect(calls()).toEqual(["ADD one", "ADD two", "DEL three", "DEL two", "DEL one"]);
    expect(told().at(-1)!.conf).not.toHaveProperty("prevResult");
    expect(kept()).toEqual([]);
    await expect(cni.add(pod, { undo: false })).rejects.toThrow();
    expect(calls().slice(5)).toEqual(["ADD one", "ADD two"]);
    await expect(cni.check(pod)).rejects.toThrow(/has not been attached/);
  });

  it("a plugin that is killed is a failure without words of CNI", async () => {
    const cni = runtime([{ kill: "ADD" }]);
    const error = await cni.add(pod).catch((thrown) => thrown);
    expect([error.cni, error.message]).toEqual([null, "ADD by one: was killed"]);
  });

  it("a failed DEL can be tried again, with the result that ADD had, also when the configuration has changed", async () => {
    const cni = runtime([{ fail: "DEL" }, {}]);
    const result = await cni.add(pod);
    runtime([{}, {}, {}]);
    await expect(cni.del(pod)).rejects.toThrow(/DEL by one: try again/);
    expect(kept()).toEqual([`net-${pod.namespace}-eth0`]);
    await expect(cni.del(pod, { netns: "" })).rejects.toThrow();
    const last = told().at(-1)!;
    expect([last.conf.type, last.env.CNI_NETNS, last.conf.prevResult]).toEqual(["one", "", result]);
  });

  it("takes the first file by name, and a .conf as a list of one", async () => {
    const cni = runtime();
    const path = join(lab.file("conf"), "05-single.conf");
    writeFileSync(path, JSON.stringify({ name: "single", type: "three", told: lab.file("told") }));
    writeFileSync(join(lab.file("conf"), "00-readme.txt"), "not this");
    await cni.add(pod, { ifname: "net1", containerId: "c1" });
    expect(calls()).toEqual(["ADD three"]);
    expect(told()[0]!.conf).toMatchObject({ name: "single", cniVersion: "0.1.0" });
    expect(kept()).toEqual(["single-c1-net1"]);
  });

  it("says what is wrong with a configuration, and which plugin is not there", async () => {
    const cni = runtime([{ type: "none" }]);
    await expect(cni.add(pod)).rejects.toMatchObject({
      code: "LAB_CNI",
      message: `there is no CNI plugin "none" in ${lab.file("none")}, ${lab.file("bin")}`,
    });
    for (const text of ["{", "[]", '{"name":"x","plugins":[{}]}', '{"type":"one"}']) {
      writeFileSync(join(lab.file("conf"), "00-bad.conflist"), text);
      await expect(cni.add(pod)).rejects.toMatchObject({ code: "LAB_CNI" });
    }
  });
});
