/**
 * The VXLAN header by hand: eight bytes, without a library. RFC 7348 section 5:
 *
 *      0                   1                   2                   3
 *      0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *     |R|R|R|R|I|R|R|R|            reserved                           |
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *     |                VXLAN network identifier       |   reserved    |
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *
 *   node examples/header.mjs [VNI]
 */
const vni = Number(process.argv[2] ?? 1);

function encode(vni) {
  const header = new Uint8Array(8);
  header[0] = 0x08; // I: the VNI is valid. Bit 4 of eight, the first being the most significant: 0000 1000
  header[4] = vni >>> 16; // the VNI is three bytes, the most significant first, …
  header[5] = (vni >>> 8) & 0xff;
  header[6] = vni & 0xff; // … and after it is a reserved byte: as a 32-bit number it is vni << 8
  return header;
}

function decode(header) {
  if (header.length < 8) return "dropped: shorter than a VXLAN header";
  if ((header[0] & 0x08) === 0) return "dropped: the I flag is clear";
  return `VNI ${(header[4] << 16) | (header[5] << 8) | header[6]}`;
}

const header = encode(vni);
console.log([...header].map((byte) => byte.toString(16).padStart(2, "0")).join(" "));
console.log(decode(header));
header[0] = 0;
console.log(decode(header));
