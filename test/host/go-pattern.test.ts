import { describe, expect, it } from "vitest";
import { HostError } from "../../src/host/command.ts";
import { goPattern } from "../../src/host/go-pattern.ts";

describe("goPattern", () => {
  it.each<[string, string[], string[]]>([
    ["10\\.0\\.0\\.", ["10.0.0.1", "210.0.0.1"], ["10a0.0.1"]],
    ["^eth[0-9]+$", ["eth0", "eth12"], ["veth0", "eth0.5"]],
    ["eth0|ens.*", ["eth0", "ens3", "xeth0x"], ["eth1"]],
    ["(?i)^ETH", ["eth0", "Eth0"], ["xeth"]],
    ["(?is)a.b", ["A\nB"], ["ab"]],
    ["^fd00:(10|20)::", ["fd00:10::1"], ["fd00:30::1"]],
    ["\\Aeth\\d\\z", ["eth0"], ["eth0\n", "xeth0", "eth00"]],
    ["^wlan\\-0$", ["wlan-0"], ["wlan0"]],
    ["^[\\-x]$", ["-", "x"], ["y"]],
    ["^e\\/\\:\\.1$", ["e/:.1"], ["e/:x1"]],
    ["\\Q1.2.3.4\\E$", ["1.2.3.4"], ["1x2.3.4"]],
    ["(?P<first>en)p\\d", ["enp3s0"], ["ep3"]],
    ["^[[:alpha:]]+[[:digit:]]$", ["eth0"], ["0eth0"]],
    ["^[^[:digit:]]+$", ["lo"], ["eth0"]],
    ["\\bbond0\\b", ["bond0"], ["bond01"]],
    ["", ["anything"], []],
  ])("%j finds what Go's finds", (pattern, found, others) => {
    const regex = goPattern(pattern);
    expect(found.filter((text) => !regex.test(text))).toEqual([]);
    expect(others.filter((text) => regex.test(text))).toEqual([]);
  });

  it.each([
    ["eth(", /^the pattern "eth\(" cannot be understood: .+/],
    ["[z-a]", /cannot be understood/],
    ["*", /cannot be understood/],
    ["(?U)x+", /cannot be understood: it begins with \(\?U\)/],
    ["eth(?i)0", /cannot be understood/],
    ["[[:nonsense:]]", /cannot be understood: there is no class \[:nonsense:\]/],
    ["\\y", /cannot be understood/],
    ["\\", /cannot be understood/],
  ])("%j is refused in words", (pattern, message) => {
    try {
      goPattern(pattern);
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(HostError);
      const { code, message: said, remedy } = error as HostError;
      expect({ code, said }).toEqual({ code: "HOST_BAD_OPTION", said: expect.stringMatching(message) });
      expect(remedy).toMatch(/\(\?i\) only at its beginning/);
    }
  });
});
