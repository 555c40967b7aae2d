/** The shim and the TAP against the kernel itself, in a namespace for each test. */
import { once } from "node:events";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { canMakeNamespaces, Inside } from "./inside.ts";
import type * as scenarios from "./shim-scenarios.ts";

type Scenario = keyof typeof scenarios;
type Returned<S extends Scenario> = Awaited<ReturnType<(typeof scenarios)[S]>>;

const EIO = 5;
const EINVAL = 22;
const EBADFD = 77;
const RST_ACK = 0x14;

let inside: Inside;

function run<S extends Scenario>(scenario: S): Promise<Returned<S>> {
  return inside.run<Returned<S>>(scenario);
}

describe.runIf(canMakeNamespaces)("in a namespace", () => {
  beforeEach(() => {
    inside = new Inside(new URL("./shim-scenarios.ts", import.meta.url));
  });
  afterEach(() => inside.remove());

  it("a frame is read with its vnet header at slot + 4", async () => {
    expect(await run("reading")).toEqual({
      place: 4,
      vnet: "00".repeat(12),
      destination: "020000000002",
      payload: "hello",
      none: 0,
    });
  });

  it("a TCP super-frame is accepted with a vnet header that describes it", async () => {
    expect(await run("superFrame")).toEqual({
      written: 1,
      left: 0,
      flags: RST_ACK,
      acknowledged: 1_003_000,
    });
  });

  it("a refused write leaves the frame where it is", async () => {
    expect(await run("refusedWrites")).toEqual({ down: -EIO, malformed: -EINVAL, left: 1 });
  });

  it("offloads that a former owner left on are switched off", async () => {
    expect(await run("offloads")).toEqual({ before: 1, after: 0, checksum: 0xffff });
  });

  it("a persistent device keeps its addresses without us, and takes several queues of ours", async () => {
    expect(await run("persistence")).toEqual({
      existed: [false, true],
      between: expect.stringMatching(/192\.0\.2\.1\/24 2001:db8::1\/64/),
      gone: 1,
    });
  });

  it("a device whose queue another process holds is refused, until that process is dead", async () => {
    const holder = inside.start("hold");
    const pid = String((await once(holder.stdout!, "data"))[0]).trim();
    expect(await run("openBesideHolder")).toMatchObject({
      name: "TapBusyError",
      code: "POPLIN_TAP_BUSY",
      errnoName: "EBUSY",
      message: expect.stringContaining(`(pid ${pid})`),
    });
    holder.kill("SIGKILL");
    await once(holder, "exit");
    expect(await run("openBesideHolder")).toBeNull();
  });

  it("a child does not inherit the queue", async () => {
    expect(await run("child")).toEqual({ ours: 1, its: 0 });
  });

  it("a device of the name that is no TAP of ours is refused, and can be recreated", async () => {
    const refused = { name: "TapMismatchError", code: "POPLIN_TAP_MISMATCH", errnoName: "EINVAL" };
    expect(await run("mismatch")).toMatchObject({
      singleQueue: { ...refused, message: expect.stringContaining("ip link del pop0") },
      tun: refused,
      bridge: refused,
      recreated: false,
    });
  });

  it("a name that cannot be is refused", async () => {
    expect(await run("names")).toMatchObject({
      slash: { code: "POPLIN_TAP_NAME" },
      long: { name: "RangeError" },
    });
  });

  it("each way in which /dev/net/tun can be missing or forbidden has its own words", async () => {
    const { absent, dead, closed, powerless, warnings } = await run("driver");
    expect(absent).toMatchObject({ code: "POPLIN_TUN_MISSING", errnoName: "ENOENT" });
    expect(absent!.message).toContain("modprobe tun");
    expect(dead).toMatchObject({
      code: "POPLIN_TUN_MISSING",
      errnoName: expect.stringMatching(/ENODEV|ENXIO/),
    });
    expect(closed).toMatchObject({ code: "POPLIN_TAP_PERMISSION", errnoName: "EACCES" });
    expect(powerless).toMatchObject({ code: "POPLIN_TAP_PERMISSION", errnoName: "EPERM" });
    expect(powerless!.message).toContain("CAP_NET_ADMIN");
    expect(warnings).toEqual([
      expect.stringMatching(
        /^SO_RCVBUFFORCE refused \(EPERM\): asked for 268435456 bytes, got \d+; .*rmem_max/,
      ),
      expect.stringMatching(
        /^SO_SNDBUFFORCE refused \(EPERM\): asked for 268435456 bytes, got \d+; .*wmem_max/,
      ),
    ]);
  });

  it("a TAP that is deleted under us is noticed, and nobody spins on it", async () => {
    const { wakes, wanted, unwanted, read } = await run("deleted");
    expect(read).toBe(-EBADFD);
    expect(wakes).toEqual([1, 2]);
    expect(wanted).toBeLessThan(29_000); // it did not wait for its timeout
    expect(unwanted).toBeGreaterThan(45);
  });
});
