import { expect, it } from "vitest";
import type { Need } from "../../src/agent/privileges.ts";
import { judge, privilegeLines } from "../../src/cli/render-privileges.ts";
import type { ThreadRights } from "../../src/host/capabilities.ts";

const ADMIN: Need = { capability: "CAP_NET_ADMIN", why: "makes the TAP" };
const RAW: Need = { capability: "CAP_NET_RAW", why: "writes outer headers itself (underlay: raw)" };
const STYLE = { width: 80, color: false };

function thread(capabilities: readonly string[], changes: Partial<ThreadRights> = {}): ThreadRights {
  const sets = {
    effective: capabilities,
    permitted: capabilities,
    ambient: capabilities,
    bounding: capabilities,
  };
  return { tid: 1, name: "node", uid: 991, noNewPrivileges: true, ...sets, ...changes };
}

it("just what is needed, on every thread, is fine", () => {
  const threads = [thread(["CAP_NET_ADMIN"]), thread(["CAP_NET_ADMIN"], { tid: 2 })];
  const judgement = judge([ADMIN], threads);
  expect(judgement).toEqual({ missing: [], excess: [] });
  expect(privilegeLines({ pid: 7, needed: [ADMIN], threads }, judgement, STYLE)).toEqual([
    ...["agent 7, user 991, 2 threads", "", "needs", "  CAP_NET_ADMIN  makes the TAP", ""],
    ...["holds all of it, on every thread", "holds nothing else"],
  ]);
});

it("what is missing is said: everywhere, on one thread, and for the programs that are run", () => {
  const all = ["CAP_NET_ADMIN", "CAP_NET_RAW"];
  expect(judge([ADMIN, RAW], [thread(["CAP_NET_ADMIN"])]).missing).toEqual(["CAP_NET_RAW is not held"]);
  const worker = thread([], { tid: 5, name: "libuv-worker" });
  expect(judge([ADMIN], [thread(all), worker]).missing).toEqual([
    "CAP_NET_ADMIN is not held by libuv-worker (5)",
  ]);
  expect(judge([ADMIN], [thread(["CAP_NET_ADMIN"], { ambient: [] })]).missing).toEqual([
    "CAP_NET_ADMIN is not ambient: the programs that the agent runs (ip, tc, nft) do without it",
  ]);
  // Root's programs have what is left in the bounding set.
  expect(judge([ADMIN], [thread(["CAP_NET_ADMIN"], { ambient: [], uid: 0 })]).missing).toEqual([]);
});

it("root's is too much, with the command that gives less, in 80 columns", () => {
  const all = [
    "CAP_CHOWN",
    "CAP_KILL",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_SYS_MODULE",
    "CAP_SYS_ADMIN",
    "CAP_BPF",
  ];
  const threads = [thread(all, { uid: 0, ambient: [] })];
  const needed = [ADMIN, RAW];
  const lines = privilegeLines({ pid: 7, needed, threads }, judge(needed, threads), STYLE);
  expect(lines).toContain("holds more: CAP_SYS_ADMIN, CAP_SYS_MODULE, CAP_CHOWN, CAP_KILL and 1 other");
  expect(lines.join("\n")).toContain("--ambient-caps=-all,+net_admin,+net_raw \\");
  for (const line of lines) expect(line.length).toBeLessThanOrEqual(80);
});
