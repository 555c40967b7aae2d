/**
 * What the kernel tells of changes (rtnetlink(7)): messages of NETLINK_ROUTE → small events. Pure, and nothing that
 * comes in makes it throw: what does not fit is left out.
 *
 *   nlmsghdr    length (u32) · type (u16) · flags (u16) · sequence (u32) · port of who asked for the change (u32)
 *   family's    ifinfomsg, ifaddrmsg, rtmsg or ndmsg
 *   rtattr …    length (u16) · type (u16) · value, each begins at a multiple of four
 *
 * Numbers are in the byte order of the host: little-endian is assumed. Left out are what the bridge says in the same
 * messages (AF_BRIDGE: a DELLINK there is a port that leaves its bridge) and routes outside table main.
 */
import { formatIpv4, formatIpv6, hex } from "../../../wire/bytes.ts";

// include/uapi/linux/netlink.h, rtnetlink.h
export const NEWLINK = 16;
export const DELLINK = 17;
export const NEWADDR = 20;
export const DELADDR = 21;
export const NEWROUTE = 24;
export const DELROUTE = 25;
export const NEWNEIGH = 28;
export const DELNEIGH = 29;
export const HEADER_LENGTH = 16;
export const TABLE_MAIN = 254;
export const OIF = 4;
const REPLACE = 0x100;
const DST = 1;

export const AF_BRIDGE = 7;
const AF_INET = 2;
const AF_INET6 = 10;

// if.h, if_link.h
const IFF_UP = 1;
const IFF_RUNNING = 0x40;
const IFLA_ADDRESS = 1;
const IFLA_IFNAME = 3;
const IFLA_MTU = 4;

// if_addr.h
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const IFA_FLAGS = 8;

// neighbour.h
export const NUD_PERMANENT = 0x80;
const NDA_DST = 1;

/** "new" is also a change of what was there before. */
type Op = "new" | "del";

export interface LinkEvent {
  readonly kind: "link";
  readonly op: Op;
  readonly index: number;
  readonly name: string;
  readonly mac: string;
  readonly mtu: number;
  /** It is switched on. */
  readonly up: boolean;
  /** It is, and has a carrier. */
  readonly running: boolean;
}

export interface AddressEvent {
  readonly kind: "address";
  readonly op: Op;
  readonly index: number;
  /** With its prefix length. */
  readonly address: string;
  /** IFA_F_…: tentative, deprecated, … */
  readonly flags: number;
}

export interface RouteEvent {
  readonly kind: "route";
  readonly op: Op;
  /** Of the device it leads out of; 0 when there is none, or several. */
  readonly index: number;
  /** "10.244.2.0/24", "default". */
  readonly dst: string;
  /** It took the place of another, which may have led out of another device: of that one nothing is said. */
  readonly replaces: boolean;
}

export interface NeighbourEvent {
  readonly kind: "neighbour";
  readonly op: Op;
  readonly index: number;
  readonly address: string;
  readonly permanent: boolean;
  /** Somebody asked for the change (with netlink: `ip neigh`); false: the kernel's own ageing and learning. */
  readonly asked: boolean;
}

export type NetlinkEvent = LinkEvent | AddressEvent | RouteEvent | NeighbourEvent;

/**
 * @param view begins with the first message
 * @param length bytes of it that were received
 * @param events is appended to
 * @returns false when the bytes end within a message: something is missing
 */
export function parseMessages(view: DataView, length: number, events: NetlinkEvent[]): boolean {
  let at = 0;
  while (at < length) {
    if (at + HEADER_LENGTH > length) return false;
    const end = at + view.getUint32(at, true);
    if (end < at + HEADER_LENGTH || end > length) return false;
    const event = parseMessage(view, at, end);
    if (event !== null) events.push(event);
    at = align(end);
  }
  return true;
}

function parseMessage(view: DataView, at: number, end: number): NetlinkEvent | null {
  const type = view.getUint16(at + 4, true);
  const body: Body = { view, at: at + HEADER_LENGTH, end };
  const op: Op = type & 1 ? "del" : "new";
  switch (type) {
    case NEWLINK:
    case DELLINK:
      return parseLink(body, op);
    case NEWADDR:
    case DELADDR:
      return parseAddress(body, op);
    case NEWROUTE:
    case DELROUTE:
      return parseRoute(body, op, (view.getUint16(at + 6, true) & REPLACE) !== 0);
    case NEWNEIGH:
    case DELNEIGH:
      return parseNeighbour(body, op, view.getUint32(at + 12, true) !== 0);
    default:
      return null;
  }
}

/** A message behind its header. */
interface Body {
  readonly view: DataView;
  readonly at: number;
  readonly end: number;
}

/** struct ifinfomsg: family, padding, type (u16), index, flags, changed flags. */
function parseLink(body: Body, op: Op): LinkEvent | null {
  const { view, at } = body;
  if (at + 16 > body.end || view.getUint8(at) === AF_BRIDGE) return null;
  const flags = view.getUint32(at + 8, true);
  const name = find(body, 16, IFLA_IFNAME);
  const mac = find(body, 16, IFLA_ADDRESS);
  return {
    kind: "link",
    op,
    index: view.getUint32(at + 4, true),
    name: name === null ? "" : new TextDecoder().decode(name).replace(/\0.*$/s, ""),
    mac: mac === null ? "" : hex(mac, 0, mac.length, ":"),
    mtu: number(body, 16, IFLA_MTU) ?? 0,
    up: (flags & IFF_UP) !== 0,
    running: (flags & IFF_RUNNING) !== 0,
  };
}

/** struct ifaddrmsg: family, prefix length, flags, scope, index. */
function parseAddress(body: Body, op: Op): AddressEvent | null {
  const { view, at } = body;
  if (at + 8 > body.end) return null;
  // Of a point-to-point link IFA_ADDRESS is the far end's.
  const address = find(body, 8, IFA_LOCAL) ?? find(body, 8, IFA_ADDRESS);
  return {
    kind: "address",
    op,
    index: view.getUint32(at + 4, true),
    address: `${format(view.getUint8(at), address)}/${view.getUint8(at + 1)}`,
    flags: number(body, 8, IFA_FLAGS) ?? view.getUint8(at + 2),
  };
}

/** struct rtmsg: family, lengths of destination and source, TOS, table, protocol, scope, type, flags. */
function parseRoute(body: Body, op: Op, replaces: boolean): RouteEvent | null {
  const { view, at } = body;
  if (at + 12 > body.end || view.getUint8(at + 4) !== TABLE_MAIN) return null;
  const dst = find(body, 12, DST);
  return {
    kind: "route",
    op,
    index: number(body, 12, OIF) ?? 0,
    dst: dst === null ? "default" : `${format(view.getUint8(at), dst)}/${view.getUint8(at + 1)}`,
    replaces,
  };
}

/** struct ndmsg: family, padding, index, state (u16), flags, type. */
function parseNeighbour(body: Body, op: Op, asked: boolean): NeighbourEvent | null {
  const { view, at } = body;
  if (at + 12 > body.end || view.getUint8(at) === AF_BRIDGE) return null;
  return {
    kind: "neighbour",
    op,
    index: view.getUint32(at + 4, true),
    address: format(view.getUint8(at), find(body, 12, NDA_DST)),
    permanent: (view.getUint16(at + 8, true) & NUD_PERMANENT) !== 0,
    asked,
  };
}

/** @returns the value of the first attribute of `type` behind the `skip` bytes of the family's header; null without one */
function find({ view, at, end }: Body, skip: number, type: number): Uint8Array | null {
  let next = at + skip;
  while (next + 4 <= end) {
    const length = view.getUint16(next, true);
    if (length < 4 || next + length > end) return null;
    if (view.getUint16(next + 2, true) === type)
      return new Uint8Array(view.buffer, view.byteOffset + next + 4, length - 4);
    next = align(next + length);
  }
  return null;
}

function number(body: Body, skip: number, type: number): number | null {
  const value = find(body, skip, type);
  if (value === null || value.length < 4) return null;
  return new DataView(value.buffer, value.byteOffset).getUint32(0, true);
}

function format(family: number, address: Uint8Array | null): string {
  if (family === AF_INET && address?.length === 4) return formatIpv4(address, 0);
  if (family === AF_INET6 && address?.length === 16) return formatIpv6(address, 0);
  return "?";
}

function align(at: number): number {
  return (at + 3) & ~3;
}
