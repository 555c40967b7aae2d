/** Rows of the forwarding table as `bridge fdb` writes them, and changes as it reads them. */
import { describe, expect, it } from "vitest";
import { deviceOf, fdbJson, fdbLines, parseChange } from "../../src/cli/fdb-words.ts";
import { healthyStatus } from "../agent/api/fake-agent.ts";

describe("fdb", () => {
  const rows = [
    { mac: "bb:bb:cc:dd:ee:ff", vni: 1, dst: "172.19.0.4", port: 4789, state: "permanent" as const },
    { mac: "aa:bb:cc:dd:ee:ff", vni: 1, dst: "172.19.0.3", port: 8472, state: "permanent" as const },
    { mac: "aa:bb:cc:dd:ee:ff", vni: 2, dst: "fd00::3", port: 8472, state: "permanent" as const },
  ];
  const device = deviceOf(healthyStatus());

  it("prints rows as `bridge fdb show dev` does, VNI and port only where they differ", () => {
    expect(fdbLines(rows, device)).toEqual([
      "aa:bb:cc:dd:ee:ff dst 172.19.0.3 self permanent",
      "bb:bb:cc:dd:ee:ff dst 172.19.0.4 port 4789 self permanent",
      "aa:bb:cc:dd:ee:ff dst fd00::3 vni 2 self permanent",
    ]);
  });

  it("has JSON with the keys of `bridge -j fdb`", () => {
    expect(fdbJson(rows.slice(1, 2), device)).toEqual([
      {
        mac: "aa:bb:cc:dd:ee:ff",
        ifname: "flannel.1",
        dst: "172.19.0.3",
        port: 8472,
        vni: 1,
        flags: ["self"],
        state: "permanent",
      },
    ]);
  });

  it.each([
    ["add", "aa:bb:cc:dd:ee:ff dst 1.2.3.4", { op: "add", mac: "aa:bb:cc:dd:ee:ff", dst: "1.2.3.4" }],
    ["add", "m dst fd00::1 self permanent", { op: "add", mac: "m", dst: "fd00::1" }],
    ["append", "m dst 239.1.1.1", { op: "append", mac: "m", dst: "239.1.1.1" }],
    ["del", "m dst 1.2.3.4", { op: "del", mac: "m", dst: "1.2.3.4" }],
    ["replace", "m permanent dst 1.2.3.4 port 4789", { op: "replace", mac: "m", dst: "1.2.3.4", port: 4789 }],
    ["del", "m", { op: "del", mac: "m" }],
  ] as const)("reads `%s %s`", (op, words, change) => {
    expect(parseChange(op, words.split(" "))).toEqual(change);
  });

  it.each([
    ["add", "", "MAC address is missing"],
    ["add", "m", "address is missing"],
    ["add", "m dst", '"dst" needs a value'],
    ["add", "m 1.2.3.4", 'unknown word "1.2.3.4"'],
    ["add", "m dest 1.2.3.4", 'unknown word "dest"'],
    ["add", "m dst 1.2.3.4 port http", '"http" is no UDP port'],
    ["add", "m dst 1.2.3.4 port 65536", '"65536" is no UDP port'],
    ["add", "m via flannel.1 dst 1.2.3.4", 'unknown word "via"'],
    ["del", "m x", 'unknown word "x"'],
  ] as const)("refuses `%s %s` as usage", (op, words, message) => {
    const parse = () => parseChange(op, words.split(" ").filter(Boolean));
    expect(parse).toThrow(message);
    expect(parse).toThrow(
      expect.objectContaining({ exitCode: 2, remedy: expect.stringContaining(`poplin fdb ${op}`) }),
    );
  });
});
