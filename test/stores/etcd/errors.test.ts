/** Texts as gRPC, OpenSSL, Node and etcd 3.4 write them, recorded; those that a test can cause are in refusals.test.ts. */
import { describe, expect, it } from "vitest";
import { explain, isCompacted, loginTrouble, unreachable } from "../../../src/stores/etcd/errors.ts";

const FRAME = "14 UNAVAILABLE: No connection established. Last error:";

describe("what went wrong, in words", () => {
  it.each([
    [
      "14 UNAVAILABLE: Name resolution failed for target dns:no-such-host.invalid:2379",
      "its name is not known",
    ],
    [`${FRAME} Error: connect EHOSTUNREACH 10.0.0.1:2379. Resolution note: `, "no route leads there"],
    [`${FRAME} Error: certificate has expired. Resolution note: `, "its certificate has expired"],
    ["14 UNAVAILABLE: etcdserver: no leader", "it has no leader"],
    ["14 UNAVAILABLE: etcdserver: request timed out", "it does not answer in time"],
    ["14 UNAVAILABLE: Connection dropped", "the connection was lost"],
    ["12 UNIMPLEMENTED: unknown service etcdserverpb.KV", "it does not speak etcd's v3 API"],
    [`${FRAME} Error: something new. Resolution note: `, "something new"],
    ["Tried to call a KV method", "Tried to call a KV method"],
  ])("%s: another endpoint may answer", (text, reason) => {
    const explained = explain(new Error(text));
    expect(explained).toMatchObject({ reason, unanswered: true, passing: true });
    expect(explained.remedy).not.toBe("");
  });

  it.each([
    ["8 RESOURCE_EXHAUSTED: etcdserver: mvcc: database space exceeded", "its database is full", true],
    ["7 PERMISSION_DENIED: etcdserver: permission denied", "this user may not do that", false],
    ["5 NOT_FOUND: etcdserver: requested lease not found", "requested lease not found", true],
    ["etcdserver: something new", "something new", true],
  ])("%s: all endpoints would say so", (text, reason, passing) => {
    expect(explain(new Error(text))).toMatchObject({ reason, unanswered: false, passing });
  });

  it("a user that etcd does not want, wants now, or has forgotten", () => {
    expect(loginTrouble(new Error("9 FAILED_PRECONDITION: etcdserver: authentication is not enabled"))).toBe(
      "off",
    );
    expect(loginTrouble(new Error("3 INVALID_ARGUMENT: etcdserver: user name is empty"))).toBe("on");
    expect(loginTrouble(new Error("16 UNAUTHENTICATED: etcdserver: invalid auth token"))).toBe("stale");
    expect(loginTrouble(new Error("3 INVALID_ARGUMENT: etcdserver: authentication failed"))).toBe(null);
  });

  it("a revision that is gone", () => {
    const text = "11 OUT_OF_RANGE: etcdserver: mvcc: required revision has been compacted";
    expect(isCompacted(new Error(text))).toBe(true);
  });

  it("names each endpoint that was asked, and what to do about the last", () => {
    const [a, b] = ["http://a:4001", "http://b:2379"].map((url) => ({
      ...explain(new Error(`${FRAME} Error: connect ECONNREFUSED 10.0.0.1:2379. Resolution note: `)),
      url,
    }));
    const { message, remedy } = unreachable([a!, b!]);
    expect(message).toBe(
      "etcd at http://a:4001: nobody listens there; etcd at http://b:2379: nobody listens there",
    );
    expect(remedy).toBe("is etcd running?");
  });
});
