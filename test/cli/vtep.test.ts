/** `poplin vtep` as a process, as far as it goes without root: what it understands, and what it explains. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CommandLine, type Result } from "./command.ts";

let cli: CommandLine;

beforeEach(() => {
  cli = new CommandLine();
});

afterEach(() => cli.close());

function vtep(args: string): Promise<Result> {
  return cli.poplin(`vtep ${args}`);
}

async function commands(args: string): Promise<string[]> {
  const { stdout } = await vtep(`${args} --explain -j`);
  return JSON.parse(stdout).commands;
}

describe("poplin vtep", () => {
  it("takes the kernel's names and ours, and means the same", async () => {
    const ours =
      "--vni 7 --port 4789 --source-ports 40000-50000 --udp-checksum zero --no-learning --remote 192.0.2.1";
    const theirs = "--id 7 --dstport 4789 --srcport 40000 50000 --noudpcsum --nolearning --remote 192.0.2.1";
    expect(await commands(theirs)).toEqual(await commands(ours));
    expect((await commands(theirs))[0]).toBe(
      "ip link add vxlan7 type vxlan id 7 remote 192.0.2.1 dstport 4789 srcport 40000 50000 noudpcsum nolearning",
    );
  });

  it("takes the kernel's own values: no TTL, no source ports, gbp without a group", async () => {
    const [plain] = await commands("--remote 192.0.2.1");
    expect((await commands("--ttl 0 --srcport 0 0 --remote 192.0.2.1"))[0]).toBe(plain);
    expect((await commands("--gbp --remote 192.0.2.1"))[0]).toContain(" gbp ");
    expect((await commands("--remote 192.0.2.1 --gbp"))[0]).toContain(" gbp ");
  });

  it("prints JSON for --explain only, and what is suspicious beside it", async () => {
    expect(await vtep("-j")).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("-j is for --explain"),
    });
    const { code, stderr } = await vtep("--l3miss --explain");
    expect([code, stderr]).toEqual([0, expect.stringContaining("l3miss")]);
  });

  it("help says its own defaults", async () => {
    const { stdout } = await vtep("--help");
    expect(stdout.replace(/\s+/g, " ")).toMatch(/--device <NAME> .*?Default: vxlanVNI\./);
    expect(stdout.replace(/\s+/g, " ")).toMatch(/--learning .*?Default: true\./);
    expect(stdout).not.toContain("--rsc");
    for (const line of stdout.split("\n")) expect(line.length, line).toBeLessThanOrEqual(80);
  });

  it("--explain prints what a shell takes as it is, 80 columns wide, and what differs", async () => {
    const { code, stdout } = await vtep(
      "--vni 100 --device vx100 --remote 192.0.2.1 --local 192.0.2.9 --explain",
    );
    expect(code).toBe(0);
    const [first, second, third] = stdout.split("\n");
    expect(first).toBe("ip link add vx100 type vxlan id 100 remote 192.0.2.1 local 192.0.2.9 \\");
    expect(second).toMatch(/^ {4}dstport 8472 srcport 49152 65535 learning/);
    expect(third).toBe("ip link set vx100 up");
    expect(stdout).toContain("senderCheck: strict");
    for (const line of stdout.split("\n")) expect(line.length).toBeLessThanOrEqual(80);
  });

  it.each([
    ["--id 7 --vni 8", "--id and --vni, or another name for it, are about one thing"],
    ["--nolearning --learning", "--nolearning and --learning, or another name for it, are about one thing"],
    ["--udpcsum --udp6zerocsumtx", "are about one thing"],
    ["--rsc", "poplin does not have the kernel's option rsc"],
    ["--noexternal", "a TAP carries none"],
    ["--remote 239.1.1.1", "is a multicast address"],
    ["--group 192.0.2.1", "is no multicast address"],
    ["--group 239.1.1.1 --underlay raw", "sends to no group"],
    ["--sender-check mac", "nothing to learn"],
    ["--remote 192.0.2.1 --remote fd00::1", "an overlay has one underlay family"],
  ])("%s is a mistake, and says why", async (args, message) => {
    const { code, stderr } = await vtep(`${args} --explain`);
    expect([code, stderr]).toEqual([2, expect.stringContaining(message)]);
  });
});
