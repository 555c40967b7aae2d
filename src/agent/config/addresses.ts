/**
 * Readers for what has to do with the network: MACs, addresses, CIDRs, and the names of a device and a socket.
 */
import {
  AddressError,
  type AddressKind,
  addressKind,
  familyOf,
  parseAddress,
  parseCidr,
} from "../../control/address.ts";
import { formatMacKey, parseMac } from "../../wire/bytes.ts";
import { bad, good, type Reader, type Reading, show } from "./values.ts";

/** A MAC that a VTEP can have: unicast, not zero. Read into lower case with colons. */
export const vtepMac: Reader<string> = (raw) => {
  let text: string;
  try {
    const { hi, lo } = parseMac(String(raw).trim());
    text = formatMacKey(hi, lo);
  } catch {
    return bad(`${show(raw)} is no MAC address`, "write six bytes as 0e:2a:00:00:00:01");
  }
  if (text === "00:00:00:00:00:00") return bad("a VTEP cannot have the zero MAC", "see `ip link show` there");
  if ((Number.parseInt(text.slice(0, 2), 16) & 1) === 1) {
    return bad(`${text} is a multicast MAC`, "the first byte of a VTEP's MAC is even, as in 0e:…");
  }
  return good(text);
};

const UNUSABLE: Readonly<Partial<Record<AddressKind, string>>> = {
  unspecified: "stands for no address in particular",
  multicast: "is a multicast address",
  broadcast: "is the broadcast address",
};

/** A VTEP's address in the underlay. */
export const underlayAddress: Reader<string> = (raw) => {
  const text = String(raw).trim();
  return reading(() => {
    const address = parseAddress(text);
    const kind = addressKind(address);
    const why = UNUSABLE[kind];
    if (why !== undefined) return bad(`${address} ${why}`, "write the address of one node");
    if (kind === "link-local" && familyOf(address) === 6) {
      return bad(`${address} is a link-local address, which needs a zone`, "write the node's global address");
    }
    return good(address);
  }, text);
};

/** A multicast group of the underlay. */
export const multicastGroup: Reader<string> = (raw) => {
  const text = String(raw).trim();
  return reading(() => {
    const address = parseAddress(text);
    if (addressKind(address) === "multicast") return good(address);
    return bad(
      `${address} is no multicast address`,
      "write one as 239.1.1.1 or ff05::100; a VTEP is a `remote`",
    );
  }, text);
};

/** The address of somebody in the overlay. */
export const overlayAddress: Reader<string> = (raw) => {
  const text = String(raw).trim();
  return reading(() => {
    const address = parseAddress(text);
    const kind = addressKind(address);
    const why = kind === "loopback" ? "never leaves its host" : UNUSABLE[kind];
    return why === undefined ? good(address) : bad(`${address} ${why}`, "write the address of one host");
  }, text);
};

/** An address for our device, with its prefix length. */
export const deviceAddress: Reader<string> = (raw) => {
  const text = String(raw).trim();
  return reading(() => {
    const cidr = parseCidr(text);
    const why = UNUSABLE[addressKind(cidr.address)];
    if (why !== undefined) return bad(`${cidr.address} ${why}`, "write an address of this node's own subnet");
    if (cidr.prefix === 0) return bad("/0 would lead everything into the overlay", "flannel uses /32");
    return good(cidr.text);
  }, text);
};

/** A subnet behind a peer: a network without host bits. */
export const peerSubnet: Reader<string> = (raw) => {
  const text = String(raw).trim();
  return reading(() => {
    const cidr = parseCidr(text);
    if (cidr.address !== cidr.network) {
      return bad(`${cidr.text} has host bits set`, `did you mean ${cidr.network}/${cidr.prefix}?`);
    }
    // The network address is the route's gateway, and the kernel takes 0.0.0.0 and :: as no gateway at all.
    if (addressKind(cidr.network) === "unspecified") {
      return bad(`${cidr.text} starts at the address that means none`, "write the peer's own subnet");
    }
    const kind = addressKind(cidr.network);
    if (kind !== "unicast") return bad(`${cidr.text} is ${kind}, and no subnet of a peer`);
    return good(cidr.text);
  }, text);
};

function reading(read: () => Reading<string>, text: string): Reading<string> {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof AddressError)) throw error;
    // `local: fd00::` without quotes is a key with no value to YAML, and often arrives here cut short.
    return bad(error.message, text === "" ? "write an address" : error.remedy);
  }
}

/** The name of an interface that is there already. */
export const interfaceName: Reader<string> = (raw) => {
  const name = String(raw).trim();
  if (name !== "" && name.length <= 15 && !/[\s/:]/.test(name)) return good(name);
  return bad(`${show(raw)} is no name of an interface`, "`ip link show` lists them");
};

/** `dev_valid_name` (net/core/dev.c) forbids "/", ":", white space, "." and ".."; iproute2 and sysctl the rest. */
export const deviceName: Reader<string> = (raw) => {
  const name = String(raw).trim();
  if (name.length > 15) {
    return bad(`"${name}" has ${name.length} characters`, "the kernel takes device names of up to 15");
  }
  if (!/^[A-Za-z0-9_][A-Za-z0-9_.-]*$/.test(name)) {
    return bad(`${show(raw)} is no device name`, "write letters, digits, `.`, `_` and `-`, as flannel.1");
  }
  // "all" and "default" name the settings of every device in /proc/sys/net/ipv6/conf.
  if (name === "lo" || name === "all" || name === "default") {
    return bad(`"${name}" has a meaning of its own to the kernel`, "write another name, as flannel.1");
  }
  return good(name);
};

/** sun_path holds 108 bytes with its final zero (unix(7)). */
/** An address and a TCP port to listen on: "127.0.0.1:9472", "[::1]:9472". Read into the address's usual form. */
export const endpoint: Reader<string> = (raw) => {
  const text = String(raw).trim();
  const [, bracketed, plain, port] = /^(?:\[(.*)\]|([^:]*)):(\d{1,5})$/.exec(text) ?? [];
  const example = "write one as 127.0.0.1:9472 or [::1]:9472; 0.0.0.0 and [::] are all addresses";
  if (port === undefined) return bad(`${show(raw)} is no address with a port`, example);
  if (Number(port) < 1 || Number(port) > 65_535)
    return bad(`${port} is no TCP port`, "write one from 1 to 65535");
  return reading(() => {
    const address = parseAddress((bracketed ?? plain)!);
    if ((familyOf(address) === 6) !== (bracketed !== undefined)) {
      return bad(`${show(raw)} is no address with a port`, example);
    }
    return good(bracketed === undefined ? `${address}:${Number(port)}` : `[${address}]:${Number(port)}`);
  }, text);
};

export const socketPath: Reader<string> = (raw) => {
  if (typeof raw !== "string" || raw === "" || raw.includes("\0")) return bad(`${show(raw)} is no path`);
  const length = new TextEncoder().encode(raw).length;
  if (length > 107)
    return bad(`the path is ${length} bytes long`, "the kernel takes socket paths of up to 107");
  return good(raw);
};
