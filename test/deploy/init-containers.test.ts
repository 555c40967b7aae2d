/** What the DaemonSet's init containers do to a node's folders, by their own scripts, with other folders in the place of those. */
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { type Manifest, objectsOf, rendered } from "./chart.ts";

const { initContainers } = objectsOf(rendered("daemonset.yaml"))[0].spec.template.spec;
const FOLDERS = ["/opt/cni/bin", "/etc/cni/net.d", "/etc/kube-flannel"];

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "poplin-node-"));
  for (const folder of FOLDERS) mkdirSync(join(root, folder), { recursive: true });
  writeFileSync(join(root, "plugin"), "new");
  chmodSync(join(root, "plugin"), 0o755);
  symlinkSync("plugin", join(root, "flannel"));
  writeFileSync(join(root, "/etc/kube-flannel/cni-conf.json"), '{"name": "cbr0"}');
});
afterEach(() => rmSync(root, { recursive: true }));

function run(): void {
  for (const { command, args } of initContainers as Manifest[]) {
    const script = args[0].replace(/(?<=^| )\/(?=\w)/gm, `${root}/`);
    execFileSync(command[0], [...command.slice(1), script], { stdio: "pipe" });
  }
}

it("they install plugin and configuration, and leave nothing else", () => {
  run();
  expect(readFileSync(join(root, "/opt/cni/bin/flannel"), "utf8")).toBe("new");
  expect(statSync(join(root, "/opt/cni/bin/flannel")).mode & 0o777).toBe(0o755);
  expect(readFileSync(join(root, "/etc/cni/net.d/10-flannel.conflist"), "utf8")).toBe('{"name": "cbr0"}');
  expect(readdirSync(join(root, "/opt/cni/bin"))).toEqual(["flannel"]);
  expect(readdirSync(join(root, "/etc/cni/net.d"))).toEqual(["10-flannel.conflist"]);
});

it("they put a new plugin in the place of another, and leave the same one alone", () => {
  const plugin = join(root, "/opt/cni/bin/flannel");
  writeFileSync(plugin, "old");
  const old = statSync(plugin).ino;
  run();
  const { ino } = statSync(plugin);
  // Another file: whoever runs the old one goes on with it.
  expect(ino).not.toBe(old);
  run();
  expect(statSync(plugin).ino).toBe(ino);
});
