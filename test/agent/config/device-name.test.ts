import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { loadDeviceName, resolveDeviceName } from "../../../src/agent/config/device-name.ts";
import type { ConfigTexts } from "../../../src/agent/config/load.ts";
import { ConfigError } from "../../../src/agent/config/problems.ts";

function nameOf(text: string, more: Omit<ConfigTexts, "file"> = {}): string {
  return resolveDeviceName({ file: { name: "node.yaml", text }, ...more });
}

describe("the device's name", () => {
  it("comes from the strongest source that gives one, as the agent has it", () => {
    const env = { POPLIN_DEVICE: "env0" };
    expect(nameOf("device: file0", { env, flags: { device: "flag0" } })).toBe("flag0");
    expect(nameOf("device: file0", { env, flags: { device: undefined } })).toBe("env0");
    expect(nameOf("device: file0\nvni: 7")).toBe("file0");
    expect(nameOf("vni: 7")).toBe("flannel.7");
    expect(nameOf("vni: 7", { env: { POPLIN_VNI: "8" } })).toBe("flannel.8");
    expect(nameOf("device: file0\nvni: 7", { flags: { device: "auto" } })).toBe("flannel.7");
    expect(resolveDeviceName({})).toBe("flannel.1");
  });

  it.each([
    ["another setting's value", "vni: 7\nsenderCheck: strikt\nport: 99999"],
    ["a setting that does not exist", "peeers: []\nvni: 7\nfoo: 1"],
    ["a peer", "vni: 7\npeers: [{publicIp: nowhere}]"],
    ["a VNI beside a name", "device: flannel.7\nvni: many"],
    ["a line that cannot be read, beside a name", "device: flannel.7\nlocal: fd00::\n"],
  ])("is known in spite of a mistake in %s", (_what, text) => {
    expect(nameOf(text)).toBe("flannel.7");
  });

  it.each([
    ["the name", "device: much-too-long-a-name"],
    ["a misspelled name", "devcie: tap0"],
    ["another word for it", "name: tap0"],
    ["two names", "device: tap0\ndevice: tap1"],
    ["the VNI, where no name is given", "vni: many"],
    ["a line that cannot be read", "local: fd00::\n"],
  ])("is not guessed where there is a mistake in %s", (_what, text) => {
    expect(() => nameOf(text)).toThrowError(ConfigError);
    expect(nameOf(text, { flags: { device: "tap0" } })).toBe("tap0");
  });

  it("is not a weaker source's where the stronger one is wrong", () => {
    expect(() => nameOf("device: file0", { flags: { device: "a b" } })).toThrowError(/--device/);
  });

  it("needs a file that can be read only where nothing else names it", () => {
    const path = join(import.meta.dirname, "no-such-file.yaml");
    expect(() => loadDeviceName({ path })).toThrowError(/there is no such file/);
    expect(loadDeviceName({ path, flags: { device: "tap0" } })).toBe("tap0");
  });
});
