/** What people hear when iptables or nft do not do what they were told; the texts are the programs' own. */
import { describe, expect, it } from "vitest";
import { isNewEnough } from "../../../src/host/firewall/iptables.ts";
import { failure, NO_IPTABLES, run } from "../../../src/host/firewall/run.ts";

const said = (stderr: string, status = 1) => failure("iptables -S", { status, stdout: "", stderr });

describe("a failure", () => {
  it.each([
    [
      "Can't lock /run/xtables.lock: Resource temporarily unavailable\n" +
        "Another app is currently holding the xtables lock. Stopped waiting after 10s.\n",
      "HOST_FIREWALL",
      "`iptables -S`: another program holds the lock of iptables (/run/xtables.lock)",
      "`fuser -v /run/xtables.lock` shows which one",
    ],
    [
      "iptables v1.8.9 (nf_tables): Could not fetch rule set generation id: Permission denied (you must be root)\n",
      "HOST_PERMISSION",
      "`iptables -S`: iptables v1.8.9 (nf_tables): Could not fetch rule set generation id: Permission denied (you must be root)",
      "run as root, or with the capabilities CAP_NET_ADMIN and CAP_NET_RAW",
    ],
    [
      "# Warning: iptables-legacy tables present, use iptables-legacy to see them\n" +
        "iptables-restore: line 2 failed\n",
      "HOST_FIREWALL",
      "`iptables -S` failed: iptables-restore: line 2 failed",
      "",
    ],
    ["", "HOST_FIREWALL", "`iptables -S` failed: exit status 1", ""],
  ])("is told in words, with what to do (%#)", (stderr, code, message, remedy) => {
    expect(said(stderr)).toMatchObject({ code, message, remedy });
  });

  it("of a program is thrown, and its output is returned otherwise", async () => {
    expect(await run("cat", [], NO_IPTABLES, "in")).toBe("in");
    await expect(run("sh", ["-c", "echo no >&2; exit 4"], NO_IPTABLES)).rejects.toMatchObject({
      message: "`sh -c echo no >&2; exit 4` failed: no",
    });
  });
});

it.each([
  ["iptables v1.8.9 (nf_tables)", true],
  ["iptables v1.8.11 (legacy)", true],
  ["iptables v1.6.2", true],
  ["iptables v2.0", true],
  ["iptables v1.6.1", false],
  ["iptables v1.6", false],
  ["iptables v1.4.21", false],
  ["anything else", false],
])("%s is new enough for --random-fully: %s", (text, is) => {
  expect(isNewEnough(text)).toBe(is);
});
