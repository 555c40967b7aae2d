/** The plugin as an executable: in a root directory that has the C and C++ runtime libraries and nothing else. */
import { spawnSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { ROOT } from "../helpers/imports.ts";
import { cniExecutable, cniPlugins, describeWith, root, tool } from "../helpers/needs.ts";

const FLANNEL = join(ROOT, "dist/cni/flannel");
const HOST_LOCAL = "/usr/lib/cni/host-local";

/** What is part of every system whose programs are in C and C++. */
const RUNTIME =
  /^(linux-vdso|ld-linux\S*|libc|libm|libdl|libpthread|libstdc\+\+|libgcc_s|libresolv)\.so\.\d+$/;

/** Names and paths of the libraries that a program wants. */
function libraries(program: string): { name: string; path: string }[] {
  const { stdout } = spawnSync("ldd", [program], { encoding: "utf8" });
  return stdout.split("\n").flatMap((line) => {
    const [, name = "", path] = /^\s*(?:(\S+) => )?(\/\S+) \(/.exec(line) ?? [];
    return path === undefined ? [] : [{ name: name || (path.split("/").at(-1) ?? ""), path }];
  });
}

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "poplin-root-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function copy(from: string, to: string): void {
  const path = join(folder, to);
  if (existsSync(path)) return;
  mkdirSync(dirname(path), { recursive: true });
  copyFileSync(from, path);
}

/** Runs it with that directory for its root. */
function run(env: Record<string, string>, conf: object = {}) {
  const input = JSON.stringify({ name: "cbr0", type: "flannel", cniVersion: "1.0.0", ...conf });
  return spawnSync("chroot", [folder, "/bin/flannel"], {
    env: { PATH: "/usr/sbin:/sbin:/usr/bin:/bin", ...env },
    input,
    encoding: "utf8",
  });
}

const NEEDS = [root(), tool("chroot"), tool("ldd"), cniPlugins(), cniExecutable()];

describeWith(NEEDS, "the CNI plugin's executable", () => {
  it("wants the C and C++ runtime libraries alone", () => {
    expect(
      libraries(FLANNEL)
        .map(({ name }) => name)
        .filter((name) => !RUNTIME.test(name)),
    ).toEqual([]);
  });

  it("runs where there is nothing else: no Node, no shell, no /proc, no /dev", () => {
    copy(FLANNEL, "bin/flannel");
    copy(HOST_LOCAL, "bin/host-local");
    for (const { path } of [...libraries(FLANNEL), ...libraries(HOST_LOCAL)]) copy(path, path);
    const env =
      "FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.1.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n";
    mkdirSync(join(folder, "run/flannel"), { recursive: true });
    writeFileSync(join(folder, "run/flannel/subnet.env"), env);

    const version = run({ CNI_COMMAND: "VERSION" });
    expect([version.status, version.stderr, JSON.parse(version.stdout).cniVersion]).toEqual([0, "", "1.1.0"]);
    // host-local is no plugin that makes pods, but it takes an address of the same configuration, and needs no shell.
    const attachment = { CNI_CONTAINERID: "c1", CNI_NETNS: "/ns", CNI_IFNAME: "eth0", CNI_PATH: "/bin" };
    const conf = { delegate: { type: "host-local" } };
    const added = run({ ...attachment, CNI_COMMAND: "ADD" }, conf);
    expect([added.status, added.stderr]).toEqual([0, ""]);
    expect(JSON.parse(added.stdout).ips).toEqual([{ address: "10.244.1.2/24", gateway: "10.244.1.1" }]);
    const kept = () => [...readdirSync(join(folder, "var/lib/cni/flannel"))];
    const taken = () =>
      readdirSync(join(folder, "var/lib/cni/networks/cbr0")).filter((name) => /^10\./.test(name));
    expect([kept(), taken()]).toEqual([["c1"], ["10.244.1.2"]]);
    expect(run({ ...attachment, CNI_COMMAND: "DEL" }, conf)).toMatchObject({
      status: 0,
      stdout: "",
      stderr: "",
    });
    expect([kept(), taken()]).toEqual([[], []]);
    const refused = run({ ...attachment, CNI_COMMAND: "ADD" });
    expect([refused.status, JSON.parse(refused.stdout).msg]).toEqual([
      1,
      'there is no plugin "bridge" in /bin',
    ]);
  });
});
