import { describe, expect, it } from "vitest";
import { Counters } from "../../src/dataplane/counters.ts";
import { Learner } from "../../src/dataplane/learn.ts";
import { newLearnLog } from "../../src/dataplane/learn-log.ts";
import { KEPT } from "../../src/dataplane/lessons.ts";
import type { DataplaneOptions } from "../../src/dataplane/options.ts";
import { Fdb } from "../../src/fdb/fdb.ts";
import { ADDRESS_BYTES, writeSockaddr } from "../../src/fdb/sockaddr.ts";
import { VtepTable } from "../../src/fdb/vteps.ts";
import { parseMac } from "../../src/wire/bytes.ts";
import { frame, MAC_A, MAC_B, vxlan } from "./frames.ts";
import { OWN_MAC, Stages } from "./stages.ts";

const ONE = [172, 19, 0, 3];
const TWO = [172, 19, 0, 4];
const learning = { learning: true, ageing: 300, maxaddress: 0 };

function learner(options: Partial<DataplaneOptions> = {}): Stages {
  const s = new Stages({ ...learning, ...options });
  s.append("00:00:00:00:00:00", ONE);
  s.append("00:00:00:00:00:00", TWO);
  return s;
}

/** Where the table says that a MAC is. */
function placeOf(s: Stages, mac: string): string | null {
  const { hi, lo } = parseMac(mac);
  const vtep = s.fdb.lookup(1, hi, lo);
  return vtep < 0 ? null : s.vteps.describe(vtep).address;
}

const from = (src: string, sender = ONE) => ({ bytes: vxlan(frame({ src })), from: sender });

describe("learning", () => {
  it("learns that a source MAC is behind the sender, on our own port", () => {
    const s = learner();
    expect(s.receive(from(MAC_A))).toHaveLength(1);
    expect(placeOf(s, MAC_A)).toBe("172.19.0.3");
    const [copy, ...others] = s.transmit({ bytes: frame({ dst: MAC_A }) });
    expect(others).toEqual([]);
    expect(s.vteps.describe(copy!.peer)).toMatchObject({ address: "172.19.0.3", port: 8472 });
    expect(s.counters.get("fdbLearned")).toBe(1);
  });

  it("counts a MAC that moves, and follows it", () => {
    const s = learner();
    s.receive(from(MAC_A), from(MAC_A, TWO), from(MAC_A, TWO), from(MAC_A));
    expect(placeOf(s, MAC_A)).toBe("172.19.0.3");
    expect([s.counters.get("fdbLearned"), s.counters.get("fdbMoved")]).toEqual([1, 2]);
    const [entry] = [...s.fdb.entries()].filter(({ moves }) => moves > 0);
    expect(entry).toMatchObject({ moves: 2 });
  });

  it("drops as VXLAN_ENTRY_EXISTS what would move a static row, which stays", () => {
    const s = learner();
    s.peer(MAC_A, ONE);
    expect(s.receive(from(MAC_A, TWO))).toEqual([]);
    expect(s.drops("rx", "VXLAN_ENTRY_EXISTS")).toBe(1);
    expect(placeOf(s, MAC_A)).toBe("172.19.0.3");
    expect(s.receive(from(MAC_A))).toHaveLength(1);
    expect(s.leaked).toBe(0);
  });

  it.each(["01:00:5e:00:00:01", "ff:ff:ff:ff:ff:ff", "00:00:00:00:00:00"])(
    "drops the source %s as MAC_INVALID_SOURCE",
    (src) => {
      const s = learner();
      expect(s.receive(from(src))).toEqual([]);
      expect(s.drops("rx", "MAC_INVALID_SOURCE")).toBe(1);
      expect(new Stages({ senderCheck: "off" }).receive(from(src))).toHaveLength(1);
    },
  );

  it("learns nothing from a VTEP that is not known, nor from what is dropped before", () => {
    const s = learner();
    s.receive(from(MAC_A, [9, 9, 9, 9]), from(OWN_MAC), {
      bytes: vxlan(frame({ src: MAC_A }), 7),
      from: ONE,
    });
    expect(s.counters.get("fdbLearned")).toBe(0);
    expect(s.drops("rx", "UNKNOWN_VTEP")).toBe(1);
  });

  it("learns from anybody with senderCheck off", () => {
    const s = learner({ senderCheck: "off" });
    s.receive(from(MAC_A, [9, 9, 9, 9]));
    expect(placeOf(s, MAC_A)).toBe("9.9.9.9");
  });

  it("learns nothing from a packet whose group policy says so (D), where that means something", () => {
    const marked = (header: number[]) => {
      const { bytes } = from(MAC_A);
      bytes.set(header);
      return { bytes, from: ONE };
    };
    const gbp = { group: 7, dontLearn: false, applied: false };
    for (const [options, header, learned] of [
      [{ gbp }, [0x88, 0x40], null],
      [{ gbp }, [0x88, 0x00], "172.19.0.3"],
      [{ gbp }, [0x08, 0x40], "172.19.0.3"],
      [{}, [0x88, 0x40], "172.19.0.3"],
    ] as const) {
      const s = learner(options);
      // twice: the second goes the short way
      expect(s.receive(marked([...header]), marked([...header]))).toHaveLength(2);
      expect(placeOf(s, MAC_A)).toBe(learned);
    }
  });

  it("forgets what nobody uses for `ageing` seconds, and nothing static", () => {
    const s = learner({ ageing: 10 });
    s.peer("02:00:00:00:00:55", ONE);
    s.receive(from(MAC_A), from(MAC_B));
    s.learner.age(8000);
    s.receive(from(MAC_B));
    s.learner.age(10_900);
    expect(placeOf(s, MAC_A)).toBe("172.19.0.3");
    s.learner.age(11_000);
    expect([placeOf(s, MAC_A), placeOf(s, MAC_B)]).toEqual([null, "172.19.0.3"]);
    s.learner.age(60_000);
    expect(placeOf(s, MAC_B)).toBe(null);
    expect(placeOf(s, "02:00:00:00:00:55")).toBe("172.19.0.3");
    expect(s.counters.get("fdbAged")).toBe(2);
    expect(s.vteps.size).toBe(2);
  });

  it("never forgets with an ageing of 0", () => {
    const s = learner({ ageing: 0 });
    s.receive(from(MAC_A));
    s.learner.age(1e9);
    expect(placeOf(s, MAC_A)).toBe("172.19.0.3");
  });

  it("keeps to maxaddress with a million MACs, lets them through, and serves those it knows", () => {
    const s = learner({ maxaddress: 1000 });
    const batch = Array.from({ length: 64 }, () => from(MAC_A));
    const FIRST = 0x0a00_0000;
    const send = (first: number): number => {
      batch.forEach(({ bytes }, i) => {
        new DataView(bytes.buffer).setInt32(16, FIRST + first + i); // the last four bytes of the MAC
      });
      return s.receive(...batch).length;
    };
    let admitted = 0;
    for (let first = 0; first < 1_000_000; first += 64) admitted += send(first);
    expect(admitted).toBe(1_000_000);
    const macs = [...s.fdb.entries()].filter(({ hi }) => hi === 0x0200).map(({ lo }) => lo);
    expect(macs.sort((a, b) => a - b)).toEqual(Array.from({ length: 1000 }, (_, i) => FIRST + i));
    expect(s.transmit({ bytes: frame({ dst: "02:00:0a:00:03:e7" }) })).toHaveLength(1);
    expect(s.transmit({ bytes: frame({ dst: "02:00:0a:00:03:e8" }) })).toHaveLength(2);
    expect(s.fdb.size).toBe(1001);
    expect(s.counters.get("fdbLearned")).toBe(1000);
    expect(s.counters.get("fdbFull")).toBe(999_000);
    s.learner.age(400_000);
    s.receive(from(MAC_B));
    expect(placeOf(s, MAC_B)).toBe("172.19.0.3");
  });

  it("remembers the packet that taught a row, as long as it is among the last", () => {
    const s = learner();
    s.receive(from(MAC_A));
    const [first] = [...s.fdb.entries()].filter(({ lesson }) => lesson > 0);
    const lesson = s.learner.lesson(first!.lesson);
    expect(lesson).toMatchObject({ address: "172.19.0.3", port: 8472, length: frame().length });
    expect(lesson!.frame).toEqual(frame().slice(0, 96));
    expect(Math.abs(Date.now() - lesson!.at)).toBeLessThan(60_000);
    for (let i = 0; i < KEPT; i++) s.receive(from(MAC_A, i % 2 === 0 ? TWO : ONE));
    expect(s.learner.lesson(first!.lesson)).toBe(null);
    expect(s.learner.lesson(0)).toBe(null);
  });
});

/** Learners that tell each other. */
function team(count: number, ageing = 300, overlays = 1) {
  const logs = Array.from({ length: count }, () => newLearnLog(overlays));
  return logs.map((own, i) => {
    const [fdb, vteps, counters] = [new Fdb(), new VtepTable(), new Counters()];
    const others = logs.filter((_, other) => other !== i);
    const options = { ...learning, ageing, vni: 1, port: 8472, floodRate: 0 };
    const release = (vtep: number, learned: boolean): void => void vteps.release(vtep, learned);
    const one = new Learner(fdb, vteps, new Uint8Array(100), options, counters, release, { own, others });
    const place = (lo: number): string | null => {
      const vtep = fdb.lookup(1, 0x0200, lo);
      return vtep < 0 ? null : vteps.describe(vtep).address;
    };
    const see = (lo: number, address: readonly number[]): number => {
      const sender = new Uint8Array(ADDRESS_BYTES);
      writeSockaddr(sender, 0, Uint8Array.from(address), 50_000);
      return one.see(0x0200, lo, sender, 0, 0, 60);
    };
    return { one, fdb, vteps, counters, place, see };
  });
}

describe("several workers", () => {
  it("share what each learns, moves too, and each counts its own", () => {
    const [a, b, c] = team(3);
    a!.see(7, ONE);
    b!.one.absorb();
    expect([b!.place(7), c!.place(7)]).toEqual(["172.19.0.3", null]);
    b!.see(7, TWO);
    for (const { one } of [a!, b!, c!]) one.absorb();
    expect([a!.place(7), b!.place(7), c!.place(7)]).toEqual(["172.19.0.4", "172.19.0.4", "172.19.0.4"]);
  });

  it("count what each has seen, and believe the others only about senders that they know", () => {
    const [a, b] = team(2);
    a!.see(7, ONE);
    b!.one.absorb();
    expect([a!.counters.get("fdbLearned"), b!.counters.get("fdbLearned")]).toEqual([1, 0]);
    b!.one.setPolicy({ ...learning, floodRate: 0, senderCheck: "strict" });
    a!.see(8, ONE);
    b!.one.absorb();
    expect(b!.place(8)).toBe(null);
    b!.vteps.acquire(Uint8Array.from(ONE), 8472);
    a!.see(9, ONE);
    b!.one.absorb();
    expect(b!.place(9)).toBe("172.19.0.3");
  });

  it("take nothing over while nothing is learned, nor afterwards what was told meanwhile", () => {
    const [a, b] = team(2);
    b!.one.setPolicy({ ...learning, learning: false, floodRate: 0 });
    a!.see(7, ONE);
    b!.one.age(1000);
    b!.one.setPolicy({ ...learning, floodRate: 0 });
    b!.one.age(2000);
    expect(b!.place(7)).toBe(null);
  });

  it("keep a row that only one of them sees in use", () => {
    const [a, b] = team(2, 80);
    a!.see(7, ONE);
    b!.one.absorb();
    for (let second = 1; second <= 400; second++) {
      for (const { one } of [a!, b!]) one.age(second * 1000);
      a!.see(7, ONE);
    }
    b!.one.absorb();
    expect([a!.place(7), b!.place(7)]).toEqual(["172.19.0.3", "172.19.0.3"]);
    for (let second = 401; second <= 500; second++) for (const { one } of [a!, b!]) one.age(second * 1000);
    expect([a!.place(7), b!.place(7)]).toEqual([null, null]);
  });

  it.each([
    ["the log of the only overlay", 1, 2000],
    ["one of a thousand", 1000, 127],
  ])(
    "lose rows that were overwritten before they were read, and read the others whole: %s",
    (_, of, least) => {
      const [a, b] = team(2, 300, of);
      for (let lo = 1; lo <= 10_000; lo++) a!.see(lo, lo % 2 === 0 ? TWO : ONE);
      b!.one.absorb();
      let known = 0;
      for (let lo = 1; lo <= 10_000; lo++) {
        const place = b!.place(lo);
        if (place === null) continue;
        known++;
        expect(place).toBe(lo % 2 === 0 ? "172.19.0.4" : "172.19.0.3");
      }
      expect(known).toBeGreaterThan(least);
      expect(known).toBeLessThan(2 * least + 200);
      expect(b!.place(10_000)).toBe("172.19.0.4");
    },
  );
});
