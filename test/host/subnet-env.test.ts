/** subnet.env against a file system: what is written, what is read back, and what an operator hears when it cannot be. */
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
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  formatSubnetEnv,
  parseSubnetEnv,
  readSubnetEnv,
  type SubnetEnv,
  writeSubnetEnv,
} from "../../src/host/subnet-env.ts";
import { describeWith, root, tool } from "../helpers/needs.ts";

const V4 = { network: "10.244.0.0/16", subnet: "10.244.1.1/24" };
const V6 = { network: "fd00:10:244::/48", subnet: "fd00:10:244:1::1/64" };
const ENV: SubnetEnv = { ipv4: V4, ipv6: V6, mtu: 1450, ipMasq: true };

let folder = "";
let path = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "poplin-subnet-env-"));
  path = join(folder, "flannel", "subnet.env");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const modeOf = (file: string) => (statSync(file).mode & 0o777).toString(8);

describe("the text", () => {
  it("is flanneld's, in its order", () => {
    expect(formatSubnetEnv(ENV)).toBe(
      "FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.1.1/24\n" +
        "FLANNEL_IPV6_NETWORK=fd00:10:244::/48\nFLANNEL_IPV6_SUBNET=fd00:10:244:1::1/64\n" +
        "FLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n",
    );
    expect(formatSubnetEnv({ ...ENV, ipv6: null, ipMasq: false })).toBe(
      "FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.1.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=false\n",
    );
    expect(formatSubnetEnv({ ...ENV, ipv4: null })).toMatch(/^FLANNEL_IPV6_NETWORK=/);
  });

  it("is read as a shell reads it, and lines that are none are passed over", () => {
    const text = `# by hand\nexport A="1 2"\nB='x'\n  C=3   # why\nD\n=E\nF="open\nG=a b\n\nH=\n`;
    expect([...parseSubnetEnv(text)]).toEqual([
      ["A", "1 2"],
      ["B", "x"],
      ["C", "3"],
      ["H", ""],
    ]);
  });
});

describe("the file", () => {
  it("is whole, readable for all, whatever the umask, and alone in its directory", async () => {
    const before = process.umask(0o077);
    try {
      await writeSubnetEnv(path, ENV);
    } finally {
      process.umask(before);
    }
    expect(readFileSync(path, "utf8")).toBe(formatSubnetEnv(ENV));
    expect([modeOf(path), modeOf(join(folder, "flannel"))]).toEqual(["644", "755"]);
    expect(readdirSync(join(folder, "flannel"))).toEqual(["subnet.env"]);
    expect(await readSubnetEnv(path)).toEqual({ ipv4: V4, ipv6: V6 });
  });

  it("replaces one of another mode, and what a write that was cut off left", async () => {
    mkdirSync(join(folder, "flannel"), { mode: 0o700 });
    writeFileSync(path, "FLANNEL_", { mode: 0o600 });
    writeFileSync(`${path}.tmp`, "FLANNEL_NETW");
    chmodSync(`${path}.tmp`, 0);
    await writeSubnetEnv(path, { ...ENV, ipv6: null });
    expect(readdirSync(join(folder, "flannel"))).toEqual(["subnet.env"]);
    expect(modeOf(path)).toBe("644");
    // A directory that was there is somebody else's.
    expect(modeOf(join(folder, "flannel"))).toBe("700");
    expect(await readSubnetEnv(path)).toEqual({ ipv4: V4, ipv6: null });
  });

  it("is written where links lead to", async () => {
    mkdirSync(join(folder, "real"));
    writeFileSync(join(folder, "real", "there.env"), "");
    symlinkSync(join(folder, "real"), join(folder, "flannel"));
    symlinkSync("there.env", join(folder, "real", "subnet.env"));
    await writeSubnetEnv(path, ENV);
    expect(readdirSync(join(folder, "real"))).toEqual(["subnet.env", "there.env"]);
    expect(readFileSync(join(folder, "real", "there.env"), "utf8")).toBe(formatSubnetEnv(ENV));
  });

  it("is not there: there was no subnet", async () => {
    expect(await readSubnetEnv(path)).toEqual({ ipv4: null, ipv6: null });
  });

  it.each([
    ["several networks", "FLANNEL_NETWORK=10.244.0.0/16,10.245.0.0/16\nFLANNEL_SUBNET=10.244.1.1/24\n"],
    ["several subnets", "FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.1.1/24,10.244.2.1/24\n"],
    ["no prefix", "FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.1.1\n"],
    ["a prefix too long", "FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.1.1/33\n"],
    ["another family", "FLANNEL_NETWORK=fd00::/48\nFLANNEL_SUBNET=fd00::1/64\n"],
    ["half of it", "FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUB"],
    ["anything but text", "\0\x01\x02\xff\n\n=\n"],
  ])("with %s counts as none", async (_what, text) => {
    mkdirSync(join(folder, "flannel"));
    writeFileSync(path, text);
    expect(await readSubnetEnv(path)).toEqual({ ipv4: null, ipv6: null });
  });
});

describe("when it cannot be", () => {
  it("a directory of its name is in the way, or a file where a directory should be", async () => {
    mkdirSync(path, { recursive: true });
    const remedy = "remove it: a container runtime makes one where a file to mount is missing";
    await expect(writeSubnetEnv(path, ENV)).rejects.toMatchObject({
      code: "HOST_FILE",
      message: `${path} cannot be written: it is a directory`,
      remedy,
    });
    await expect(readSubnetEnv(path)).rejects.toMatchObject({
      message: `${path} cannot be read: it is a directory`,
    });
    const file = join(folder, "file");
    writeFileSync(file, "");
    await expect(writeSubnetEnv(join(file, "subnet.env"), ENV)).rejects.toMatchObject({ code: "HOST_FILE" });
  });
});

describeWith([root(), tool("mount")], "on a file system that takes nothing", () => {
  let mounted = "";
  afterEach(() => {
    if (mounted !== "") execFileSync("umount", [mounted]);
    mounted = "";
  });
  function mount(options: string): void {
    mkdirSync(join(folder, "flannel"));
    execFileSync("mount", ["-t", "tmpfs", "-o", options, "none", join(folder, "flannel")]);
    mounted = join(folder, "flannel");
  }

  it("that is read-only says so", async () => {
    mount("ro");
    await expect(writeSubnetEnv(path, ENV)).rejects.toMatchObject({
      message: `${path} cannot be written: the file system is read-only`,
    });
  });

  it("that is full keeps the file that was there, and nothing beside it", async () => {
    mount("size=8k");
    await writeSubnetEnv(path, ENV);
    writeFileSync(join(folder, "flannel", "full"), Buffer.alloc(4096));
    await expect(writeSubnetEnv(path, { ...ENV, mtu: 9000 })).rejects.toMatchObject({
      message: `${path} cannot be written: no space is left there`,
    });
    expect(readFileSync(path, "utf8")).toBe(formatSubnetEnv(ENV));
    expect(readdirSync(join(folder, "flannel"))).toEqual(["full", "subnet.env"]);
  });
});
