/** ARP and neighbour discovery answered where they were asked: each field of the answers, and who gets none. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { L2_MISS, L3_MISS_IPV4, L3_MISS_IPV6, MISSES } from "../../src/dataplane/event-ring.ts";
import type { ProxyPolicy } from "../../src/dataplane/options.ts";
import { fromHex, hex, parseMac } from "../../src/wire/bytes.ts";
import { checksum, pseudoSumV6 } from "../../src/wire/checksum.ts";
import { frame } from "./frames.ts";
import {
  type Arp,
  ASKER,
  arp,
  GROUP,
  IP_ASKER,
  IP_OWNER,
  IP6_ASKER,
  IP6_NOBODY,
  IP6_OWNER,
  OWNER,
  OWNER_MAC,
  type Solicitation,
  solicitation,
  TAG,
} from "./questions.ts";
import { Stages } from "./stages.ts";

const ON: ProxyPolicy = { on: true, unknown: "drop", l2miss: true, l3miss: true };

function stages(policy: Partial<ProxyPolicy> = {}): Stages {
  const made = new Stages({ proxy: { ...ON, ...policy } });
  const { hi, lo } = parseMac(OWNER_MAC);
  for (const address of [IP_OWNER, IP6_OWNER]) made.neighbours.replace(1, fromHex(address), hi, lo);
  made.events.open(0, MISSES);
  return made;
}

/** What came back, in hexadecimal; nothing else may have happened. */
function answers(s: Stages, ...frames: { bytes: Uint8Array }[]): string[] {
  expect(s.transmit(...frames)).toEqual([]);
  const out = s.answered();
  for (const { head } of out) expect(head).toEqual(new Uint8Array(12));
  expect(s.leaked).toBe(0);
  return out.map(({ body }) => hex(body));
}

function told(s: Stages): number[][] {
  const rows: number[][] = [];
  s.events.drain(0, (kind, vni, words, at) => rows.push([kind, vni, ...words.slice(at, at + 4)]));
  return rows;
}

const ARP_ANSWER = `${ASKER}${OWNER}0806 0001080006040002 ${OWNER}${IP_OWNER} ${ASKER}${IP_ASKER}`;

function plain(text: string): string {
  return text.replace(/\s/g, "");
}

describe("an ARP request", () => {
  it("for a neighbour is turned into its reply", () => {
    const s = stages();
    expect(answers(s, arp({}))).toEqual([plain(ARP_ANSWER)]);
    expect(s.counters.get("txProxied")).toBe(1);
    expect(s.counters.get("txFrames")).toBe(0);
    expect(s.counters.snapshot().drops).toEqual({ tx: {}, rx: {} });
  });

  it("keeps its tag, loses its padding, and may be of IEEE 802, as for the kernel", () => {
    const s = stages();
    const tagged = ARP_ANSWER.replace("0806 ", `${TAG}0806`);
    expect(answers(s, arp({ tag: TAG, padding: 18 }), arp({ hardware: "0006" }))).toEqual([
      plain(tagged),
      plain(ARP_ANSWER),
    ]);
  });

  it("of one who has no address yet is answered: a conflict is found that way (RFC 5227)", () => {
    const [answer] = answers(stages(), arp({ sender: "00000000" }));
    expect(answer).toBe(plain(ARP_ANSWER).replace(/0a630002$/, "00000000"));
  });

  it("for somebody unknown is told and ends here", () => {
    const s = stages();
    expect(answers(s, arp({ target: "0a630006" }))).toEqual([]);
    expect(s.drops("tx", "NEIGH_MISS")).toBe(1);
    expect(told(s)).toEqual([[L3_MISS_IPV4, 1, 0x0a630006, 0, 0, 0]]);
  });

  it("for somebody unknown goes its way where that is the policy, and is told", () => {
    const s = stages({ unknown: "forward" });
    s.peer("ff:ff:ff:ff:ff:ff", [172, 19, 0, 3]);
    const request = arp({ target: "0a630006" });
    const [out] = s.transmit(request);
    expect(out!.body.subarray(8)).toEqual(request.bytes);
    expect(s.counters.get("txProxied")).toBe(0);
    expect(told(s)).toHaveLength(1);
  });

  it.each<[string, Arp]>([
    ["a reply", { op: "0002" }],
    ["an announcement", { sender: IP_OWNER }],
    ["a loopback address", { target: "7f000001" }],
    ["a multicast address", { target: "e0000001" }],
    ["another kind of link", { hardware: "0020" }],
  ])("%s is none: nobody is told, and it ends here", (_what, given) => {
    const s = stages();
    expect(answers(s, arp(given))).toEqual([]);
    expect(told(s)).toEqual([]);
    expect(s.drops("tx", "NEIGH_MISS")).toBe(1);
  });

  it("that is cut short is none", () => {
    const s = stages();
    const { bytes } = arp({});
    for (let length = 14; length < 42; length++) answers(s, { bytes: bytes.slice(0, length) });
    expect(s.drops("tx", "NEIGH_MISS")).toBe(28);
  });

  it("is a frame like any other where proxy is off", () => {
    const s = stages({ on: false });
    s.peer("ff:ff:ff:ff:ff:ff", [172, 19, 0, 3]);
    expect(s.transmit(arp({}))).toHaveLength(1);
    expect(s.answered()).toEqual([]);
  });

  it("whose answer the TAP has no room for is dropped", () => {
    const s = stages();
    for (let i = 0; i < 65; i++) expect(s.transmit(arp({}))).toEqual([]);
    expect(s.counters.get("txProxied")).toBe(64);
    expect(s.drops("rx", "TAP_REFUSED")).toBe(1);
    expect(s.answered()).toHaveLength(64);
    expect(s.leaked).toBe(0);
  });

  it("is answered between frames that leave, and a policy can change in between", () => {
    const s = stages();
    s.peer("02:00:00:00:00:0b", [172, 19, 0, 3]);
    const data = { bytes: frame({ dst: "02:00:00:00:00:0b" }) };
    expect(s.transmit(data, arp({}), data, solicitation({}), data)).toHaveLength(3);
    expect(s.answered()).toHaveLength(2);
    s.proxy.setPolicy({ ...ON, on: false, unknown: "drop" });
    s.transmit(arp({}));
    expect(s.drops("tx", "NO_TX_TARGET")).toBe(1);
  });
});

describe("a neighbour solicitation", () => {
  /** The advertisement, its checksum where it belongs. */
  const advertisement = (to = IP6_ASKER, flags = "60", mac = ASKER, tag = ""): string => {
    const bytes = fromHex(
      `${mac}${OWNER}${tag}86dd 60000000 0020 3aff ${IP6_OWNER} ${to} 88000000 ${flags}000000 ${IP6_OWNER} 0201${OWNER}`,
    );
    const ip = 14 + tag.length / 2;
    const sum = checksum(bytes, ip + 40, 32, pseudoSumV6(bytes, ip, 58, 32));
    bytes.set([sum >>> 8, sum & 0xff], ip + 42);
    return hex(bytes);
  };

  it("for a neighbour is turned into its advertisement: solicited, override, the MAC as an option", () => {
    const s = stages();
    expect(answers(s, solicitation({}))).toEqual([advertisement()]);
    expect(s.counters.get("txProxied")).toBe(1);
  });

  it("keeps its tag", () => {
    expect(answers(stages(), solicitation({ tag: TAG }))).toEqual([
      advertisement(IP6_ASKER, "60", ASKER, TAG),
    ]);
  });

  it("is answered to the MAC of its option, behind others too, and without one to the frame's source", () => {
    const s = stages();
    const other = "0a5800000099";
    const behind = `0e01aabbccddeeff 0101${other}`;
    expect(answers(s, solicitation({ options: behind }), solicitation({ options: "" }))).toEqual([
      advertisement(IP6_ASKER, "60", other),
      advertisement(),
    ]);
  });

  it("keeps of its traffic class and flow label what the kernel keeps: the first four bits", () => {
    const [answer] = answers(stages(), solicitation({ word: "6fffffff" }));
    expect(answer!.slice(28, 36)).toBe("6f000000");
  });

  it("that probes for a duplicate is answered to all nodes, unsolicited (RFC 4861 section 7.2.4)", () => {
    const nodes = "ff020000000000000000000000000001";
    const [answer] = answers(stages(), solicitation({ source: IP6_NOBODY, options: "" }));
    expect(answer).toBe(advertisement(nodes, "20", "333300000001"));
  });

  it("for somebody unknown is told, and ends here or goes its way", () => {
    const unknown = solicitation({ target: IP6_OWNER.replace(/5$/, "6") });
    const s = stages();
    expect(answers(s, unknown)).toEqual([]);
    expect(s.drops("tx", "NEIGH_MISS")).toBe(1);
    expect(told(s)).toEqual([[L3_MISS_IPV6, 1, 0xfd990000 | 0, 0, 0, 6]]);
    const forwards = stages({ unknown: "forward" });
    forwards.peer("33:33:ff:00:00:05", [172, 19, 0, 3]);
    expect(forwards.transmit(unknown)).toHaveLength(1);
  });

  it.each<[string, Solicitation]>([
    ["a multicast target", { target: GROUP }],
    ["an option of no length", { options: "0100000000000000" }],
    ["an option that does not end", { options: "0102000000000000" }],
  ])("with %s is not answered", (_what, given) => {
    const s = stages();
    expect(answers(s, solicitation(given))).toEqual([]);
    expect(s.drops("tx", "NEIGH_MISS")).toBe(1);
    expect(told(s)).toEqual([]);
  });

  it.each<[string, Solicitation]>([
    ["from beyond a router", { hops: "fe" }],
    ["of another code", { type: "8701" }],
    ["that is an advertisement", { type: "8800" }],
  ])("%s is none, and goes its way", (_what, given) => {
    const s = stages();
    expect(answers(s, solicitation(given))).toEqual([]);
    expect(s.drops("tx", "NO_TX_TARGET")).toBe(1);
  });

  it("that is cut short is none", () => {
    const s = stages();
    const { bytes } = solicitation({});
    for (let length = 14; length < bytes.length; length++) answers(s, { bytes: bytes.slice(0, length) });
    expect(s.counters.get("txProxied")).toBe(0);
  });
});

describe("whatever is asked", () => {
  it("a mutant of a question loses no slot, and an answer is no longer than the longest there is", () => {
    const questions = [arp({}), arp({ tag: TAG }), solicitation({}), solicitation({ options: "", tag: TAG })];
    const change = fc.tuple(fc.nat(90), fc.nat(255));
    fc.assert(
      fc.property(
        fc.constantFrom(...questions),
        fc.array(change, { maxLength: 4 }),
        fc.nat(90),
        ({ bytes }, changes, length) => {
          const s = stages();
          const mutant = bytes.slice(0, Math.max(14, length));
          for (const [at, value] of changes) if (at < mutant.length) mutant[at] = value;
          s.transmit({ bytes: mutant });
          for (const { body } of s.answered()) expect(body.length).toBeLessThanOrEqual(14 + 8 + 40 + 32);
          expect(s.leaked).toBe(0);
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe("a frame to a MAC without a row", () => {
  it("is told as l2miss, once, and dropped", () => {
    const s = stages({ on: false });
    const data = { bytes: frame({ dst: OWNER_MAC }) };
    s.transmit(data, data);
    expect(told(s)).toEqual([[L2_MISS, 1, 0x0200, 5, 0, 0]]);
    expect(s.drops("tx", "NO_TX_TARGET")).toBe(2);
  });

  it("is not told when it is multicast, or nobody wants to know", () => {
    const s = stages({ on: false });
    s.transmit({ bytes: frame({ dst: "01:00:5e:00:00:01" }) });
    s.proxy.setPolicy({ ...ON, l2miss: false });
    s.transmit({ bytes: frame({ dst: OWNER_MAC }) });
    expect(told(s)).toEqual([]);
  });
});
