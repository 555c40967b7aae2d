/** `poplin fdb` as a process: rows as an agent has them, and what it answers to changes. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { LearnedRow } from "../../src/dataplane/options.ts";
import { fromHex } from "../../src/wire/bytes.ts";
import { CommandLine } from "./command.ts";

let cli: CommandLine;

beforeEach(() => {
  cli = new CommandLine();
});

afterEach(() => cli.close());

/** Has the agent hold a row: a learned one, or one that stays. */
function holds(mac: string, dst: string, learned?: LearnedRow): void {
  const row = { mac, dev: "flannel.1", vni: 1, dst, port: 8472 };
  cli.agent.rows.set(mac, learned ? { ...row, state: "learned", learned } : { ...row, state: "permanent" });
}

describe("poplin fdb", () => {
  it("adds, shows and deletes, in the words of bridge", async () => {
    await cli.startAgent();
    const mac = "aa:bb:cc:dd:ee:ff";
    expect(await cli.poplin(`fdb add ${mac} dst 192.0.2.1`)).toEqual({ code: 0, stdout: "", stderr: "" });
    expect((await cli.poplin("fdb")).stdout).toBe(`${mac} dst 192.0.2.1 self permanent\n`);
    expect((await cli.poplin(`fdb replace ${mac} dst 192.0.2.2 port 4789`)).code).toBe(0);
    expect(JSON.parse((await cli.poplin("fdb -j")).stdout)).toMatchObject([
      { mac, ifname: "flannel.1", port: 4789 },
    ]);
    expect((await cli.poplin(`fdb del ${mac}`)).code).toBe(0);
    expect((await cli.poplin("fdb show")).stdout).toBe("");
  });

  it("append, del dst and flush go to the agent in its words", async () => {
    await cli.startAgent();
    expect((await cli.poplin("fdb append 00:00:00:00:00:00 dst 192.0.2.1")).code).toBe(0);
    expect((await cli.poplin("fdb")).stdout).toBe("00:00:00:00:00:00 dst 192.0.2.1 self permanent\n");
    expect((await cli.poplin("fdb del 00:00:00:00:00:00 dst 192.0.2.1")).code).toBe(0);
    const learned = { idle: 1, age: 60, moved: null, moves: 0 };
    for (const mac of ["02:00:00:00:00:01", "02:00:00:00:00:02"]) {
      holds(mac, "192.0.2.1", learned);
    }
    expect((await cli.poplin("fdb")).stdout.split("\n")[0]).toBe(
      "02:00:00:00:00:01 dst 192.0.2.1 self learned",
    );
    expect((await cli.poplin("fdb flush")).stdout).toBe("2 learned rows forgotten\n");
    expect(JSON.parse((await cli.poplin("fdb flush -j")).stdout)).toEqual({ flushed: 0 });
  });

  it("why tells the packet, the time and the moves; of a MAC without a row where its frames go", async () => {
    await cli.startAgent();
    const mac = "02:00:00:00:00:0a";
    const learned = { idle: 0, age: 3700, moved: 65, moves: 2 };
    holds(mac, "192.0.2.1", learned);
    const arp = fromHex(
      "ffffffffffff02000000000a0806" + "0001080006040001" + "02000000000a0a090001" + "0000000000000a090002",
    );
    cli.agent.lesson = {
      at: Date.now() - 65_000,
      address: "192.0.2.1",
      port: 50_123,
      length: 60,
      frame: arp,
    };
    const { code, stdout } = await cli.poplin(`fdb why ${mac}`);
    expect([code, stdout.split("\n")]).toEqual([
      0,
      [
        `${mac} is behind 192.0.2.1, port 8472: learned`,
        "  learned 1 hour, 1 minute ago, last heard of just now",
        "  moved 2 times, the last time 1 minute, 5 seconds ago",
        "  by a packet from 192.0.2.1 port 50123, 1 minute, 5 seconds ago:",
        "    ARP who has 10.9.0.2? tell 10.9.0.1, 60 bytes",
        "",
      ],
    ]);
    holds(mac, "192.0.2.1");
    expect((await cli.poplin(`fdb why ${mac}`)).stdout).toContain(
      "from the configuration or by `poplin fdb`",
    );
    const nobody = await cli.poplin("fdb why 02:00:00:00:00:99");
    expect([nobody.code, nobody.stderr]).toEqual([1, expect.stringContaining("NO_TX_TARGET")]);
    const zeros = "00:00:00:00:00:00";
    holds(zeros, "192.0.2.7");
    const flooded = await cli.poplin("fdb why 02:00:00:00:00:99");
    expect([flooded.code, flooded.stderr]).toEqual([1, expect.stringContaining("flooded to 192.0.2.7")]);
    expect((await cli.poplin("fdb why nonsense")).code).toBe(2);
  });

  it("with -j a change answers with the row as `fdb -j` has it, a deletion with {}", async () => {
    await cli.startAgent();
    const answer = async (args: string) => {
      const { code, stdout, stderr } = await cli.poplin(args);
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      return JSON.parse(stdout);
    };
    const other = await answer("fdb add 0e:2a:00:00:00:01 dst 192.0.2.9 -j");
    const row = await answer("fdb -j add AA-BB-CC-DD-EE-FF dst 192.0.2.1");
    expect(row).toMatchObject({
      mac: "aa:bb:cc:dd:ee:ff",
      ifname: "flannel.1",
      dst: "192.0.2.1",
      port: 8472,
    });
    expect(await answer("fdb -j")).toEqual([other, row]);
    const changed = await answer("-j fdb replace aa:bb:cc:dd:ee:ff dst 192.0.2.2 port 4789");
    expect(changed).toEqual({ ...row, dst: "192.0.2.2", port: 4789 });
    expect(await answer("fdb del aa:bb:cc:dd:ee:ff --json")).toEqual({});
    const again = await cli.poplin("fdb del aa:bb:cc:dd:ee:ff -j");
    expect([again.code, again.stdout]).toEqual([1, ""]);
    expect(JSON.parse(again.stderr)).toEqual({
      error: {
        code: "NO_SUCH_ROW",
        message: "aa:bb:cc:dd:ee:ff has no row",
        remedy: "`poplin fdb` lists them",
      },
    });
  });

  it("a refusal is 1 with its reason, wrong words are 2", async () => {
    await cli.startAgent();
    const again = await cli.poplin("fdb del aa:bb:cc:dd:ee:ff");
    expect(again.code).toBe(1);
    expect(again.stderr).toBe("poplin: aa:bb:cc:dd:ee:ff has no row\n  → `poplin fdb` lists them\n");
    expect((await cli.poplin("fdb add nonsense dst 192.0.2.1")).code).toBe(2);
  });
});
