/**
 * What a TAP of this kernel can do, tried on one of a free name that is gone afterwards:
 *
 *   we read     TUNSETOFFLOAD says which work may be left to us; a datagram that a socket sends out of the device,
 *               once alone and once as UDP_SEGMENT, shows what that looks like. (TCP would need somebody to talk to:
 *               there TUNSETOFFLOAD's word is what there is.)
 *   we write    a super-frame of each kind. Some kernels (6.6, 6.10) answer EINVAL.
 *
 * The device has no address and IPv6 is off, so the kernel says nothing on it by itself. Making it takes a
 * millisecond or two, its end (`unregister_netdevice`) ten times that: who opened it closes it where nobody waits.
 */
import { writeFileSync } from "node:fs";
import { getSystemErrorName } from "node:util";
import { VNET_LENGTH } from "../../../dataplane/arena.ts";
import { everyOffload, type OffloadName } from "../../../dataplane/offloads.ts";
import {
  GSO_NONE,
  GSO_UDP_L4,
  le16,
  NEEDS_CSUM,
  VNET_FLAGS,
  VNET_GSO_SIZE,
  VNET_GSO_TYPE,
} from "../../../dataplane/vnet.ts";
import { u16 } from "../../../wire/bytes.ts";
import { isSystemCallFailure } from "../errors.ts";
import { loadShim, PLAIN_SOCKET } from "../shim.ts";
import { type OpenTap, tapOffloads } from "../tap.ts";
import { Packets } from "./packets.ts";
import { SUPER_FRAMES } from "./super-frames.ts";

/** Offloads of the TAP: why each is not to be used, null where nothing speaks against it. */
export type TapReport = Record<Extract<OffloadName, `tap-${string}` | `${string}-coalesce`>, string | null>;

/** @throws whatever the kernel answers where it should not */
export function probeTap(tap: OpenTap): TapReport {
  const packets = new Packets();
  silence(tap.name);
  loadShim().linkUp(tap.name);
  const csum = refuses(tap, "tap-csum") ?? readsBack(packets, tap, 0);
  const report: TapReport = {
    "tap-csum": csum,
    "tap-tso": csum === null ? refuses(tap, "tap-tso") : null,
    "tap-uso": csum === null ? (refuses(tap, "tap-uso") ?? readsBack(packets, tap, SEGMENT_BYTES)) : null,
    "tcp-coalesce": takes(packets, tap, ["TCP over IPv4", "TCP over IPv6"]),
    "udp-coalesce": takes(packets, tap, ["UDP over IPv4", "UDP over IPv6"]),
  };
  return report;
}

/** No router solicitation, no duplicate address detection: nothing that we would read, or that would outlive it. */
function silence(name: string): void {
  try {
    writeFileSync(`/proc/sys/net/ipv6/conf/${name}/disable_ipv6`, "1");
  } catch {
    // A kernel without IPv6, or a /proc/sys that may not be written to: what comes is passed over.
  }
}

/** Asks for an offload, together with the checksums without which there is none. @returns why it is refused, or null */
function refuses(tap: OpenTap, name: OffloadName): string | null {
  try {
    loadShim().tapOffload(tap.fd, tapOffloads({ ...everyOffload(false), "tap-csum": true, [name]: true }));
    return null;
  } catch (error) {
    if (!isSystemCallFailure(error)) throw error;
    const since = name === "tap-uso" ? ": Linux 6.2 and later have it" : "";
    return `the TAP refuses it (${error.syscall}: ${error.code})${since}`;
  }
}

function takes(packets: Packets, tap: OpenTap, kinds: readonly (keyof typeof SUPER_FRAMES)[]): string | null {
  for (const kind of kinds) {
    const errno = packets.write(tap.fd, SUPER_FRAMES[kind]);
    if (errno > 0) return `the TAP refuses super-frames of ${kind} (${getSystemErrorName(-errno)})`;
  }
  return null;
}

const SEGMENT_BYTES = 100;
const PAYLOAD = 250;
/** The discard port, of a group on the local network that nobody is in: it needs neither route nor neighbour. */
const GROUP = Uint8Array.of(224, 0, 0, 255);
const DISCARD = 9;
/** Where things lie in what we read: behind the vnet header an Ethernet, an IPv4 and a UDP header without options. */
const ETHER_TYPE = VNET_LENGTH + 12;
const UDP_AT = VNET_LENGTH + 14 + 20;
const DATA = UDP_AT + 8;

/**
 * Sends a datagram out of the device and looks at what we read.
 * @param segment where UDP_SEGMENT cuts it; 0: nowhere
 * @returns what is wrong with it; null where nothing is, and where the kernel does not let us look (CAP_NET_RAW before
 * 5.7, a firewall)
 */
function readsBack(packets: Packets, tap: OpenTap, segment: number): string | null {
  const shim = loadShim();
  const payload = Uint8Array.from({ length: PAYLOAD }, (_, i) => i);
  const { fd } = shim.udpOpen(SOCKET);
  try {
    shim.bindDevice(fd, tap.name);
    if (packets.send(fd, GROUP, DISCARD, payload, segment) > 0) return null;
  } catch (error) {
    if (!isSystemCallFailure(error)) throw error;
    return null;
  } finally {
    shim.close(fd);
  }
  const frame = packets
    .read(tap.fd)
    .map(({ bytes }) => bytes)
    .find((bytes) => u16(bytes, ETHER_TYPE) === 0x0800 && u16(bytes, UDP_AT + 2) === DISCARD);
  return frame === undefined ? null : whatIsWrong(frame, payload, segment);
}

/** Looks at one frame. The kernel may always have done itself what it could leave to us. */
export function whatIsWrong(frame: Uint8Array, payload: Uint8Array, segment: number): string | null {
  const type = frame[VNET_GSO_TYPE]!;
  const whole = segment === 0 || type !== GSO_NONE;
  const expected = whole ? payload : payload.subarray(0, segment);
  const data = frame.subarray(DATA);
  if (data.length !== expected.length || data.some((byte, i) => byte !== expected[i])) {
    return "other bytes come out of the TAP than were sent";
  }
  if (type === GSO_NONE) return null;
  if (segment === 0 || type !== GSO_UDP_L4) return `a frame comes out of the TAP as GSO type ${type}`;
  const size = le16(frame, VNET_GSO_SIZE);
  if (size !== segment) return `segments of ${segment} bytes come out of the TAP as segments of ${size}`;
  return (frame[VNET_FLAGS]! & NEEDS_CSUM) === 0
    ? "super-frames come out of the TAP without NEEDS_CSUM"
    : null;
}

const SOCKET = { ...PLAIN_SOCKET, family: 4, address: "", ttl: 1 } as const;
