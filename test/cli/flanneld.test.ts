/** `poplin flanneld` as a process, as far as it goes without a network: its flags, and how it ends. */
import { once } from "node:events";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { flagsHelp } from "../../src/agent/flannel/flags-help.ts";
import { CommandLine } from "./command.ts";

let cli: CommandLine;

beforeEach(() => {
  cli = new CommandLine();
});

afterEach(() => cli.close());

describe("poplin flanneld", () => {
  it("has flanneld's flags in its help, however that is asked for, in 80 columns", async () => {
    for (const words of ["flanneld --help", "flanneld -h", "help flanneld"]) {
      const { code, stdout } = await cli.poplin(words);
      expect([words, code, stdout]).toEqual([words, 0, flagsHelp()]);
    }
    for (const line of flagsHelp().split("\n")) expect(line.length, line).toBeLessThanOrEqual(80);
  });

  it("reports every mistake on its line at once, and what to do about it", async () => {
    const { code, stderr } = await cli.poplin(
      "flanneld --iface-rx=x --healthz-port=99999 --socket=/run/a.sock",
    );
    expect(code).toBe(2);
    expect(stderr).toMatch(/--iface-rx.*iface-regex/);
    expect(stderr).toMatch(/--healthz-port.*from 0 to 65535/);
    expect(stderr).toMatch(/--socket.*POPLIN_SOCKET/);
  });

  it("answers flanneld's flags itself: version on standard error, its own help", async () => {
    expect(await cli.poplin("flanneld --version")).toMatchObject({
      code: 0,
      stdout: "",
      stderr: expect.stringMatching(/^poplin \d/),
    });
    expect((await cli.poplin("flanneld -h")).stdout).toMatch(/^Usage: poplin flanneld \[FLAG\]\.\.\.\n/);
    const { code, stderr } = await cli.poplin("flanneld --ifaces eth0");
    expect([code, stderr]).toEqual([2, expect.stringMatching(/no flag --ifaces.*`iface`/)]);
  });

  it("ends where its store cannot be opened, with its health server", async () => {
    const { code, stderr } = await cli.poplin(
      "flanneld --healthz-ip 127.0.0.1 --healthz-port 18983 --etcd-endpoints ftp://etcd:2379",
    );
    expect([code, stderr]).toEqual([1, expect.stringMatching(/neither http nor https\n {2}→ /)]);
  });

  it("ends at SIGTERM while it waits for a store", async () => {
    const child = cli.start(["flanneld", "--lease-dir", join(cli.folder, "nothing"), "--iface", "lo"], {
      env: { FLANNELD_SUBNET_FILE: join(cli.folder, "subnet.env") },
    });
    const [said] = (await once(child.stderr!.setEncoding("utf8"), "data")) as [string];
    expect(said).toMatch(/there is no network configuration .*it is tried again each second/);
    child.kill("SIGTERM");
    expect(await once(child, "close")).toEqual([0, null]);
  });
});
