import { expect, it } from "vitest";
import { CAPABILITIES, parseRights, threadRights } from "../../src/host/capabilities.ts";

it("the kernel's numbers are the places in the list (linux/capability.h)", () => {
  expect([CAPABILITIES[12], CAPABILITIES[13], CAPABILITIES[21], CAPABILITIES[40]]).toEqual([
    ...["CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_SYS_ADMIN", "CAP_CHECKPOINT_RESTORE"],
  ]);
  expect(CAPABILITIES).toHaveLength(41);
});

it("reads what /proc says of a thread", () => {
  const status = [
    ...["Name:\tlibuv-worker", "Pid:\t4712", "Uid:\t991\t991\t991\t991"],
    ...["CapPrm:\t0000000000003000", "CapEff:\t0000000000001000", "CapBnd:\t0000020000003000"],
    ...["CapAmb:\t0000000000000000", "NoNewPrivs:\t1", ""],
  ].join("\n");
  expect(parseRights(status)).toEqual({
    ...{ tid: 4712, name: "libuv-worker", uid: 991, noNewPrivileges: true },
    effective: ["CAP_NET_ADMIN"],
    permitted: ["CAP_NET_ADMIN", "CAP_NET_RAW"],
    ambient: [],
    // Newer than this list.
    bounding: ["CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_41"],
  });
});

it("finds each thread of a process, and says so where there is none", () => {
  const threads = threadRights("self");
  expect(threads.length).toBeGreaterThan(4);
  expect(threads.map(({ tid }) => tid)).toContain(process.pid);
  expect(() => threadRights(2 ** 30)).toThrow("ENOENT");
});
