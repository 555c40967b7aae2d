import { describe, expect, it } from "vitest";
import type { FdbUpdate } from "../../src/dataplane/options.ts";
import { formatMac } from "../../src/wire/bytes.ts";
import { frame, MAC_A, MAC_B, vxlan } from "./frames.ts";
import { setUp } from "./ports.ts";

const ZERO = "00:00:00:00:00:00";
const GROUP = "01:00:5e:00:00:fb";

function change(op: FdbUpdate["op"], mac: string, last?: number): FdbUpdate {
  const address = last === undefined ? new Uint8Array(0) : Uint8Array.of(172, 19, 0, last);
  return { op, mac, address, port: 8472 };
}

/** A dataplane that learns, and what its table says: a MAC and a VTEP on each line. */
function table() {
  const { dataplane, underlay, loop } = setUp(undefined, { learning: true, ageing: 300, maxaddress: 100 });
  for (const { mac } of dataplane.rows()) dataplane.update(change("del", mac));
  const lines = () =>
    dataplane
      .rows()
      .map(({ mac, dst, state }) => `${mac} ${dst} ${state}`)
      .sort();
  const learn = (src: string) => {
    underlay.incoming.push(vxlan(frame({ src }))); // from 172.19.0.3
    loop.turn();
  };
  return { dataplane, underlay, loop, lines, learn };
}

describe("the forwarding table", () => {
  it("takes several VTEPs for all zeros and for groups, each once, as `bridge fdb append` does", () => {
    const { dataplane, lines } = table();
    const made = [
      change("append", ZERO, 3),
      change("append", ZERO, 4),
      change("append", ZERO, 4),
      change("add", ZERO, 5),
      change("add", GROUP, 5),
      change("replace", ZERO, 5),
      change("append", MAC_A, 5),
    ].map((one) => dataplane.update(one));
    expect(made).toEqual([null, null, null, "FDB_EXISTS", null, "FDB_GROUP", "FDB_UNICAST"]);
    expect(lines()).toEqual([
      `${ZERO} 172.19.0.3 permanent`,
      `${ZERO} 172.19.0.4 permanent`,
      `${GROUP} 172.19.0.5 permanent`,
    ]);
  });

  it("takes one of them out, or all", () => {
    const { dataplane, lines } = table();
    for (const last of [3, 4, 5]) dataplane.update(change("append", ZERO, last));
    expect(dataplane.update(change("del", ZERO, 4))).toBe(null);
    expect(dataplane.update(change("del", ZERO, 4))).toBe("FDB_MISSING");
    expect(lines()).toEqual([`${ZERO} 172.19.0.3 permanent`, `${ZERO} 172.19.0.5 permanent`]);
    expect(dataplane.update(change("del", ZERO))).toBe(null);
    expect(dataplane.update(change("del", ZERO))).toBe("FDB_MISSING");
    dataplane.update(change("append", ZERO, 6));
    expect(dataplane.update(change("del", ZERO, 6))).toBe(null);
    expect(lines()).toEqual([]);
  });

  it("says of a learned row how old it is and why it is there", () => {
    const { dataplane, learn } = table();
    dataplane.update(change("append", ZERO, 3));
    learn(MAC_A);
    const [reason] = dataplane.why(MAC_A);
    expect(reason!.row).toEqual({
      mac: MAC_A,
      vni: 1,
      dst: "172.19.0.3",
      port: 8472,
      state: "learned",
      learned: { idle: 0, age: 0, moved: null, moves: 0 },
    });
    expect(formatMac(reason!.lesson!.frame, 6)).toBe(MAC_A);
    expect(dataplane.why(ZERO)).toMatchObject([{ row: { state: "permanent" }, lesson: null }]);
    expect(dataplane.why(MAC_B)).toEqual([]);
  });

  it("deletes a unicast row by its VTEP, too, and by no other", () => {
    const { dataplane, lines } = table();
    dataplane.update(change("add", MAC_A, 3));
    expect(dataplane.update(change("del", MAC_A, 4))).toBe("FDB_MISSING");
    expect(dataplane.update({ ...change("del", MAC_A, 3), port: 4789 })).toBe("FDB_MISSING");
    expect(lines()).toEqual([`${MAC_A} 172.19.0.3 permanent`]);
    expect(dataplane.update(change("del", MAC_A, 3))).toBe(null);
    expect(lines()).toEqual([]);
  });

  it("makes a learned row static, and forgets it where it is deleted", () => {
    const { dataplane, lines, learn } = table();
    dataplane.update(change("append", ZERO, 3));
    learn(MAC_A);
    learn(MAC_B);
    expect(dataplane.update(change("add", MAC_A, 4))).toBe("FDB_EXISTS");
    expect(dataplane.update(change("replace", MAC_A, 4))).toBe(null);
    expect(dataplane.update(change("del", MAC_B))).toBe(null);
    expect(lines()).toEqual([`${ZERO} 172.19.0.3 permanent`, `${MAC_A} 172.19.0.4 permanent`]);
    expect(dataplane.flush()).toBe(0);
  });

  it("forgets what was learned from a VTEP when it has no static row any more", () => {
    const { dataplane, lines, learn } = table();
    dataplane.update(change("append", ZERO, 3));
    dataplane.update(change("append", GROUP, 3));
    learn(MAC_A);
    dataplane.update(change("del", ZERO, 3));
    expect(lines()).toContain(`${MAC_A} 172.19.0.3 learned`);
    dataplane.update(change("del", GROUP));
    expect(lines()).toEqual([]);
    learn(MAC_A);
    expect(lines()).toEqual([]);
  });

  it("flushes what was learned, and nothing else", () => {
    const { dataplane, lines, learn } = table();
    dataplane.update(change("append", ZERO, 3));
    learn(MAC_A);
    learn(MAC_B);
    expect(dataplane.flush()).toBe(2);
    expect(lines()).toEqual([`${ZERO} 172.19.0.3 permanent`]);
    learn(MAC_A);
    expect(lines()).toHaveLength(2);
  });

  it("believes no sender whom learned rows alone refer to", () => {
    const { dataplane, underlay, loop, lines, learn } = table();
    dataplane.update(change("append", ZERO, 3));
    const stranger = (policy: "off" | "strict") =>
      dataplane.setPolicy({
        ...{ reservedBits: "rfc", senderCheck: policy, tos: 0 },
        ...{ learning: true, ageing: 300, maxaddress: 100, floodRate: 0 },
      });
    // The test's datagrams come from 172.19.0.3; another VTEP stands for the peer.
    dataplane.update(change("append", ZERO, 4));
    dataplane.update(change("del", ZERO, 3));
    stranger("off");
    learn(MAC_A);
    expect(lines()).toContain(`${MAC_A} 172.19.0.3 learned`);
    stranger("strict");
    underlay.incoming.push(vxlan(frame({ src: MAC_B })));
    loop.turn();
    expect(dataplane.counters.drops("rx", "UNKNOWN_VTEP")).toBe(1);
    expect(lines()).not.toContain(`${MAC_B} 172.19.0.3 learned`);
  });
});
