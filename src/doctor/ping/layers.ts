/** From what was measured to what works: a verdict for each layer, with the cause and the next command. Pure. */
import { DROPS, type DropReason } from "../../dataplane/drops.ts";
import type { Counted, MtuEvidence, PingEvidence, Rounds } from "./evidence.ts";

export type LayerName = "underlay" | "udp" | "vxlan" | "inner" | "mtu";

/**
 * `unknown`: nothing speaks against it, and nothing proves it. `skipped`: it was not tried. `narrow`: it works, for
 * packets of less than full size.
 */
export type LayerState = "ok" | "fail" | "unknown" | "skipped" | "narrow";

export interface Layer {
  readonly name: LayerName;
  readonly state: LayerState;
  /** Milliseconds; null where nothing was timed. */
  readonly time: { readonly min: number; readonly avg: number; readonly max: number } | null;
  /** What is known, or why it fails: a sentence without its full stop. */
  readonly text: string;
  /** The next command; null where there is nothing to do. */
  readonly remedy: string | null;
}

/** In their order, the lowest first. */
export function judgeLayers(evidence: PingEvidence): Layer[] {
  return [
    underlayLayer(evidence),
    udpLayer(evidence),
    vxlanLayer(evidence),
    innerLayer(evidence),
    ...(evidence.mtu === null ? [] : [mtuLayer(evidence.mtu, evidence)]),
  ];
}

/** The lowest layer that fails: what is above cannot work. */
export function failing(layers: readonly Layer[]): Layer | undefined {
  return layers.find(({ state }) => state === "fail");
}

function layer(
  name: LayerName,
  state: LayerState,
  text: string,
  remedy: string | null = null,
  times: readonly number[] = [],
): Layer {
  return { name, state, text, remedy, time: times.length === 0 ? null : summary(times) };
}

function summary(times: readonly number[]): NonNullable<Layer["time"]> {
  const sum = times.reduce((a, b) => a + b, 0);
  return { min: Math.min(...times), avg: sum / times.length, max: Math.max(...times) };
}

function answered({ sent, times, address }: Rounds): string {
  return `${times.length} of ${sent} echo requests answered by ${address}`;
}

/** Whether packets came through the overlay from there: then all below works. */
function through({ inner, otherSign, direct }: PingEvidence): boolean {
  return !direct && ((inner?.times.length ?? 0) > 0 || otherSign !== null);
}

function underlayLayer(evidence: PingEvidence): Layer {
  const { underlay, target } = evidence;
  const { times, sent, refused } = underlay;
  if (times.length > 0) return layer("underlay", "ok", answered(underlay), null, times);
  if (through(evidence)) {
    return layer("underlay", "unknown", `pings are not answered by ${target.publicIp}; VXLAN is`);
  }
  const why =
    refused === ""
      ? `none of ${sent} echo requests answered: the host is off or cut off, or drops pings`
      : `echo requests cannot be sent (${refused}): ${REFUSED[refused] ?? "the kernel refuses them"}`;
  const remedy = `ip route get ${target.publicIp}; ip neigh show ${target.publicIp}`;
  return layer("underlay", "fail", why, remedy);
}

const REFUSED: Readonly<Record<string, string>> = {
  ENETUNREACH: "there is no route to it",
  EHOSTUNREACH: "nobody on the link has its address",
  EPERM: "a firewall of this node",
  EINVAL: "there is no way from our address",
};

function udpLayer(evidence: PingEvidence): Layer {
  const { udp, port, target } = evidence;
  if (through(evidence)) return layer("udp", "ok", `port ${port} answers with VXLAN`);
  if (udp === "") {
    return layer("udp", "unknown", `no refusal from port ${port}: somebody listens, or a firewall drops it`);
  }
  if (udp === "ECONNREFUSED") {
    const text = `port ${port} refused (ICMP port unreachable): no agent runs there, or a firewall rejects it`;
    return layer("udp", "fail", text, `on ${target.publicIp}: poplin status; ss -ulpn 'sport = ${port}'`);
  }
  const text = `a datagram to port ${port} does not leave (${udp}): ${REFUSED[udp] ?? "the kernel refuses it"}`;
  return layer("udp", "fail", text, udp === "EPERM" ? "poplin doctor names the rule" : null);
}

function vxlanLayer(evidence: PingEvidence): Layer {
  const { inner, otherSign, direct, target, udp, underlay } = evidence;
  if (direct) return layer("vxlan", "skipped", "its pods are reached past the overlay, by a direct route");
  if (inner === null) {
    return layer("vxlan", "skipped", "no address inside is known: ping one, as `poplin ping 10.244.2.2`");
  }
  if (inner.times.length > 0) {
    return layer("vxlan", "ok", `answers come from VNI ${target.overlay.device.vni}`, null, inner.times);
  }
  if (otherSign !== null) return layer("vxlan", "ok", otherSign.what, null, [otherSign.ms]);
  const own = ownFault(evidence);
  if (own !== null) return layer("vxlan", "fail", own[0], own[1]);
  const below = udp !== "" || (underlay.times.length === 0 && underlay.refused !== "");
  if (below) return layer("vxlan", "fail", "cannot work while what is below fails");
  const dropped = dropFault(evidence.counted, evidence);
  if (dropped !== null) return layer("vxlan", "fail", dropped[0], dropped[1]);
  const sent = evidence.counted.txFrames;
  if (underlay.times.length === 0)
    return layer("vxlan", "fail", `${sent} frames left, nothing came back either`);
  return layer(
    "vxlan",
    "fail",
    `${sent} frames left, nothing came back: a firewall there drops UDP ${evidence.port} (or all that comes from inside), ` +
      `its VNI is not ${target.overlay.device.vni}, its MAC is not ${target.vtepMac}, or it has no rows for us`,
    `on ${target.publicIp}: ip -details link show ${target.overlay.device.name}; iptables-save; poplin stats`,
  );
}

/** What is wrong on this side before anything has left. */
function ownFault({ counted, way, target, inner }: PingEvidence): [string, string] | null {
  const { device } = target.overlay;
  if (way !== null && way.device !== device.name) {
    const where = way.device === "" ? `goes nowhere: ${way.said}` : `leads through ${way.device}`;
    return [
      `the route to ${inner!.address} ${where}, not through ${device.name}`,
      `ip route get ${inner!.address}`,
    ];
  }
  if ((counted.tx.NO_TX_TARGET ?? 0) > 0) {
    return [
      `dropped here as NO_TX_TARGET: ${target.vtepMac} has no row`,
      "poplin reconcile; poplin fdb show",
    ];
  }
  if ((counted.tx.UNDERLAY_REFUSED ?? 0) > 0) {
    return ["dropped here as UNDERLAY_REFUSED: no route, or a firewall", "poplin doctor; poplin status"];
  }
  if (counted.txFrames > 0) return null;
  const remedy = `poplin reconcile; ip neigh show dev ${device.name}; ip link show ${device.name}`;
  return [`no frame left by ${device.name}: its neighbour is missing, or the device is down`, remedy];
}

/** Drops that mean that something came, and was not let in. On a busy node they may be others' packets. */
function dropFault({ rx }: Counted, { target }: PingEvidence): [string, string] | null {
  const [first] = Object.entries(rx)
    .filter(([, n]) => n > 0)
    .sort(([, a], [, b]) => b - a) as [DropReason, number][];
  if (first === undefined) return null;
  const [reason, n] = first;
  const remedy = DROP_REMEDIES[reason] ?? "poplin stats; poplin capture -v";
  return [
    `${n} datagrams were dropped meanwhile as ${reason}: ${DROPS[reason]}`,
    remedy.replaceAll("PEER", target.publicIp).replaceAll("DEVICE", target.overlay.device.name),
  ];
}

const DROP_REMEDIES: Partial<Record<DropReason, string>> = {
  VXLAN_VNI_NOT_FOUND: "on PEER: `ip -details link show DEVICE` shows its VNI; ours is in `poplin status`",
  UNKNOWN_VTEP: "it sends from another address than PEER: set `senderCheck: mac`, or its `publicIp`",
  LOCAL_MAC: "PEER has our MAC: give one of the two another",
};

function innerLayer(evidence: PingEvidence): Layer {
  const { inner, otherSign, direct, target } = evidence;
  if (inner === null) return layer("inner", "skipped", "no address inside is known");
  if (inner.times.length > 0) return layer("inner", "ok", answered(inner), null, inner.times);
  if (otherSign !== null) {
    const text = `VXLAN works, and ${inner.address} does not answer pings: a firewall there drops ICMP`;
    return layer("inner", "fail", text, `on ${target.publicIp}: iptables-save; nft list ruleset`);
  }
  if (!direct) return layer("inner", "fail", "cannot work while VXLAN does not");
  return layer("inner", "fail", `${inner.address} does not answer`, `ip route get ${inner.address}`);
}

function mtuLayer({ underlay, inner, device, needed }: MtuEvidence, { direct }: PingEvidence): Layer {
  if (underlay === null && inner === null)
    return layer("mtu", "skipped", "nobody answers who could be asked");
  const parts = [
    ...(underlay === null ? [] : [`underlay ${underlay} bytes`]),
    ...(inner === null ? [] : [`inside ${inner} of ${device}`]),
  ].join(", ");
  const most = inner ?? device;
  const left = underlay === null ? most : device - Math.max(0, needed - underlay);
  if (direct || Math.min(most, left) >= device) return layer("mtu", "ok", parts);
  const text = `${parts}: a full packet needs ${needed} below`;
  return layer(
    "mtu",
    "narrow",
    text,
    `set \`mtu: ${Math.min(most, left)}\` on all nodes, or see to the path`,
  );
}
