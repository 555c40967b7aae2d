/**
 * Every option of the kernel's VXLAN device has a test named after it ("option ageing: …"), or a line in the README that
 * says why it makes no sense here.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { KERNEL_OPTIONS } from "../../../src/agent/config/kernel-options.ts";

/** As ip-link(8) and drivers/net/vxlan have them. */
const OPTIONS = [
  ...["id", "dev", "group", "remote", "local", "ttl", "tos", "df", "flowlabel", "dstport", "srcport"],
  ...["reserved_bits", "learning", "proxy", "rsc", "l2miss", "l3miss", "udpcsum", "udp6zerocsumtx"],
  ...[
    "udp6zerocsumrx",
    "ageing",
    "maxaddress",
    "localbypass",
    "external",
    "gbp",
    "gpe",
    "vnifilter",
    "mcroute",
  ],
];

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));

/** The options that titles of tests begin with. */
function tested(): Set<string> {
  const names = new Set<string>();
  for (const file of readdirSync(join(ROOT, "test"), { recursive: true, encoding: "utf8" })) {
    if (!file.endsWith(".test.ts")) continue;
    const text = readFileSync(join(ROOT, "test", file), "utf8");
    for (const [, list] of text.matchAll(/\bit\(\s*["'`]options? ([^:]+):/g)) {
      // `${…}` chooses among several
      for (const [name] of list!.matchAll(/[a-z0-9_]+/g)) names.add(name);
    }
  }
  return names;
}

describe("the kernel's options, one by one", () => {
  const names = tested();
  const readme = readFileSync(join(ROOT, "README.md"), "utf8");

  it("are all known", () => {
    expect(KERNEL_OPTIONS.map(({ name }) => name).sort()).toEqual([...OPTIONS].sort());
  });

  it.each(OPTIONS)("%s is tested, or the README says why it is not there", (name) => {
    const { setting, why } = KERNEL_OPTIONS.find((option) => option.name === name)!;
    if (setting !== null) expect([...names]).toContain(name);
    else expect(readme).toMatch(new RegExp(`^\\| \`${name}\` \\| .{20,} \\|$`, "m"));
    if (setting === null) expect(why!.length).toBeGreaterThan(20);
  });
});
