/** The sender check: a received sockaddr → VTEP. */
import { ADDRESS_BYTES, VtepTable, writeSockaddr } from "../../dist/fdb/index.js";
import { generator } from "../measure/shuffle.mjs";

const ROWS = 64;

export const cases = [
  { name: "by IPv4 address, 10 VTEPs", prepare: () => finds(10, 4) },
  { name: "by IPv4 address, 10,000 VTEPs", prepare: () => finds(10_000, 4) },
  { name: "by IPv6 address, 10,000 VTEPs", prepare: () => finds(10_000, 16) },
];

function address(i, length) {
  const bytes = new Uint8Array(length);
  bytes.set(length === 4 ? [10] : [0xfd]);
  bytes.set([i >>> 16, i >>> 8, i], length - 3);
  return bytes;
}

/** Receives come in batches: a ring of sockaddrs is walked again and again. */
function finds(count, length) {
  const vteps = new VtepTable();
  for (let i = 0; i < count; i++) vteps.acquire(address(i, length), 8472);
  const random = generator(1);
  const addresses = new Uint8Array(ROWS * ADDRESS_BYTES);
  for (let i = 0; i < ROWS; i++) {
    writeSockaddr(addresses, i * ADDRESS_BYTES, address(random(count), length), 40_000);
  }
  return (n) => {
    let sum = 0;
    for (let i = 0; i < n; i++) {
      sum = (sum + vteps.findByAddress(addresses, (i & (ROWS - 1)) * ADDRESS_BYTES)) | 0;
    }
    return sum;
  };
}
