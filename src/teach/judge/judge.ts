/**
 * What becomes of a packet at a VTEP: by RFC 7348, at Linux's, and at poplin's.
 *
 * What the kernel looks at before any VTEP (`below.ts`) decides for all three. After it the standard's rules and Linux's
 * (`vteps.ts`) are data, held against the kernel by a test; poplin's own dataplane is asked (`poplin.ts`).
 */
import type { DropReason } from "../../dataplane/drops.ts";
import type { ExplainedPart, Explanation } from "../explanation.ts";
import { BELOW, isGroup } from "./below.ts";
import type { Judgement, Receiver, Rule } from "./judgement.ts";
import { PoplinVtep, type Received } from "./poplin.ts";
import { fieldOf, idOf, numberOf, textOf, type View, viewOf } from "./view.ts";
import { LINUX, RFC_7348 } from "./vteps.ts";

export const JUDGES = ["RFC 7348", "Linux", "poplin"] as const;
export type Judge = (typeof JUDGES)[number];
export type Judgements = Readonly<Record<Judge, Judgement>>;

/** Where it is for nobody here: what a receiver is when only the packet is known. */
const VTEP_MAC = "02:00:00:00:00:99";

/** The VTEP that a packet is meant for, as far as the packet says: it has its VNI, its addresses, and nothing against it. */
export function receiverOf(explanation: Explanation): Receiver {
  const view = viewOf(explanation, UNKNOWN);
  const vni = numberOf(view.vxlan, "vni");
  const port = numberOf(view.udp, "destinationPort");
  return {
    ...UNKNOWN,
    vni: vni < 0 ? UNKNOWN.vni : vni,
    port: view.vxlan !== null && port >= 0 ? port : UNKNOWN.port,
  };
}

/** The same, with the addresses that the packet is sent to, and the sender as its one peer: for one that is then changed. */
export function addresseeOf(explanation: Explanation): Receiver {
  const { ethernet, ip, innerEthernet } = viewOf(explanation, UNKNOWN);
  const mac = textOf(innerEthernet, "destination");
  return {
    ...receiverOf(explanation),
    mac: mac === "" || isGroup(mac) ? VTEP_MAC : mac,
    peers: ip === null ? [] : [textOf(ip, "source")],
    addresses: ip === null ? [] : [textOf(ip, "destination")],
    underlayMac: ethernet === null ? null : textOf(ethernet, "destination"),
  };
}

const UNKNOWN: Receiver = {
  ...{ vni: 1, port: 8472, mac: VTEP_MAC, learning: false, gbp: false, mtu: 1450 },
  ...{ peers: [], addresses: [], underlayMac: null },
};

export function judge(explanation: Explanation, receiver = receiverOf(explanation)): Judgements {
  const view = viewOf(explanation, receiver);
  const below = find(BELOW, view);
  if (below !== null) {
    const { rule } = below;
    const standard = judgement(below.field, rule, rule.source);
    // What the standard leaves open, the kernel under both has decided.
    const kernel = {
      ...judgement(below.field, rule, rule.kernel),
      fate: rule.fate === "may-drop" ? "drop" : rule.fate,
    } as const;
    return { "RFC 7348": standard, Linux: kernel, poplin: kernel };
  }
  return {
    "RFC 7348": byRules(RFC_7348, view, "RFC 7348 section 5", "source"),
    Linux: byRules(LINUX, view, "vxlan_rcv", "kernel"),
    poplin: byPoplin(view),
  };
}

function find(rules: readonly Rule<View>[], view: View): { rule: Rule<View>; field: string } | null {
  for (const rule of rules) {
    const field = rule.applies(view);
    if (field !== null) return { rule, field };
  }
  return null;
}

function judgement(field: string | null, { fate, reason, words }: Rule<View>, source: string): Judgement {
  return { fate, reason, field, words, source };
}

const LET_IN = "The frame comes out of the tunnel as it went in.";

function byRules(
  rules: readonly Rule<View>[],
  view: View,
  source: string,
  whose: "source" | "kernel",
): Judgement {
  const found = find(rules, view);
  if (found === null) return { fate: "in", reason: null, field: null, words: LET_IN, source };
  const result = judgement(found.field, found.rule, found.rule[whose]);
  return whose === "source" ? { ...result, reason: null } : result;
}

function byPoplin(view: View): Judgement {
  const { receiver, ip } = view;
  const known = receiver.peers.length === 0 || receiver.peers.includes(textOf(ip, "source"));
  const verdict = vtepFor(receiver, ip?.name === "ipv6" ? 6 : 4).receive(received(view), known);
  const source = "poplin's decap";
  if (verdict === null) return { fate: "in", reason: null, field: null, words: LET_IN, source };
  const { reason, words } = verdict;
  const sentence = `${words[0]!.toUpperCase()}${words.slice(1)}.`;
  return { fate: "drop", reason, field: culprit(view, reason), words: sentence, source };
}

/** The datagram as the socket hands it over. */
function received({ explanation, receiver, ip, udp, vxlan }: View): Received {
  const { bytes } = explanation;
  const at = vxlan?.at ?? (udp === null ? 0 : udp.at + 8);
  const end =
    udp === null ? bytes.length : Math.min(bytes.length, udp.at + Math.max(8, numberOf(udp, "length")));
  const source = fieldOf(ip, "source");
  return {
    payload: bytes.subarray(at, end),
    // 192.0.2.1: of nobody (RFC 5737).
    address:
      source === undefined
        ? Uint8Array.of(192, 0, 2, 1)
        : bytes.slice(source.bit / 8, (source.bit + source.width) / 8),
    port: udp === null ? receiver.port : numberOf(udp, "sourcePort"),
    tos: ip === null ? 0 : (numberOf(ip, "dscp") << 2) | numberOf(ip, "ecn"),
  };
}

/** The field that a drop is about. */
function culprit(view: View, reason: DropReason): string | null {
  const { ip, vxlan, innerEthernet, innerIp } = view;
  const of = (part: ExplainedPart | null, name: string) => (part === null ? null : idOf(part, name));
  switch (reason) {
    case "PKT_TOO_SMALL":
      return vxlan?.id ?? of(view.udp, "length");
    case "VXLAN_INVALID_HDR":
      return of(vxlan, "i");
    case "VXLAN_VNI_NOT_FOUND":
      return of(vxlan, "vni");
    case "UNKNOWN_VTEP":
      return of(ip, "source");
    case "INNER_TOO_SMALL":
      return innerEthernet?.id ?? vxlan?.id ?? null;
    case "LOCAL_MAC":
    case "MAC_INVALID_SOURCE":
      return of(innerEthernet, "source");
    case "IP_TUNNEL_ECN":
      return of(ip, "ecn");
    case "PKT_TOO_BIG":
      return of(innerIp, innerIp?.name === "ipv6" ? "payloadLength" : "totalLength");
    default:
      return null;
  }
}

/** The last one asked: it has megabytes of buffers, and is mostly asked again. */
let last: { readonly key: string; readonly vtep: PoplinVtep } | null = null;

function vtepFor(receiver: Receiver, family: 4 | 6): PoplinVtep {
  const { vni, port, mac, mtu, learning, gbp } = receiver;
  const key = [vni, port, mac, mtu, learning, gbp, family].join();
  if (last?.key !== key) last = { key, vtep: new PoplinVtep(receiver, family) };
  return last.vtep;
}
