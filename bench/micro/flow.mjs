/** Where the headers of a frame are, and the hash of its flow, from which the source port follows. */
import { flowHash } from "../../dist/dataplane/entropy.js";
import { Location, locate, locateUsual } from "../../dist/wire/flow.js";

const MACS = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 3];
const PORTS = [0x9c, 0x40, 0x14, 0x51];
const IPV4 = [0x45, 0, 5, 0xaa, 0, 1, 0x40, 0, 64, 6, 0, 0, 10, 244, 1, 2, 10, 244, 2, 5];
const IPV6 = [0x60, 0, 0, 0, 5, 0x82, 6, 64, ...address(1), ...address(2)];

export const cases = [
  { name: "locate, usual frame, in words", prepare: () => locating(IPV4, 0x0800, true) },
  { name: "locate, usual frame, in bytes", prepare: () => locating(IPV4, 0x0800, false) },
  { name: "locate, IPv6", prepare: () => locating(IPV6, 0x86dd, false) },
  { name: "flow hash, IPv4 TCP", prepare: () => hashing(IPV4, 0x0800) },
  { name: "flow hash, IPv6 TCP", prepare: () => hashing(IPV6, 0x86dd) },
];

function address(last) {
  return [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last];
}

/** @returns a frame of 1,464 bytes, and where its headers are */
function frame(ip, etherType) {
  const bytes = new Uint8Array(1464);
  bytes.set([...MACS, etherType >> 8, etherType & 255, ...ip, ...PORTS]);
  const where = new Location();
  locate(bytes, 0, bytes.length, where);
  return { bytes, where, view: new DataView(bytes.buffer) };
}

function locating(ip, etherType, inWords) {
  const { bytes, where, view } = frame(ip, etherType);
  return (n) => {
    let sum = 0;
    for (let i = 0; i < n; i++) {
      if (inWords) locateUsual(view, 0, bytes.length, where);
      else locate(bytes, 0, bytes.length, where);
      sum = (sum + where.l4At) | 0;
    }
    return sum;
  };
}

function hashing(ip, etherType) {
  const { where, view } = frame(ip, etherType);
  return (n) => {
    let sum = 0;
    for (let i = 0; i < n; i++) sum = (sum + flowHash(view, 0, where)) | 0;
    return sum;
  };
}
