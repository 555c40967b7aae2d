/**
 * The senders of datagrams as node:dgram names them, back in the kernel's form. The text of an address is parsed
 * once; peers are few, and whoever floods us from made-up addresses only empties the memory of them.
 */
import { ADDRESS_BYTES, writeSockaddr } from "../../fdb/sockaddr.ts";
import { putU16 } from "../../wire/bytes.ts";

/** Addresses remembered. */
const MEMORY = 1024;
const PORT_AT = 2;

export class Senders {
  readonly #rows = new Map<string, Uint8Array>();

  /**
   * Writes a sockaddr. A zone ("%eth0") is left out: a VTEP's address belongs to no interface.
   * @param address as inet_ntop(3) writes it
   */
  write(bytes: Uint8Array, at: number, address: string, port: number): void {
    bytes.set(this.#rows.get(address) ?? this.#parse(address), at);
    putU16(bytes, at + PORT_AT, port);
  }

  #parse(address: string): Uint8Array {
    const row = new Uint8Array(ADDRESS_BYTES);
    writeSockaddr(row, 0, addressBytes(address), 0);
    if (this.#rows.size === MEMORY) this.#rows.clear();
    this.#rows.set(address, row);
    return row;
  }
}

/** @returns the 4 or 16 bytes of an address that inet_ntop(3) wrote. */
function addressBytes(text: string): Uint8Array {
  if (!text.includes(":")) return Uint8Array.from(text.split("."), Number);
  const [start, end] = text.split("%", 1)[0]!.split("::");
  const first = bytesOfGroups(start!);
  const last = bytesOfGroups(end ?? "");
  return Uint8Array.from([...first, ...new Array<number>(16 - first.length - last.length).fill(0), ...last]);
}

/** The bytes of "2001:db8", or of "ffff:192.0.2.1". */
function bytesOfGroups(text: string): number[] {
  if (text === "") return [];
  return text.split(":").flatMap((group) => {
    if (group.includes(".")) return group.split(".").map(Number);
    const value = Number.parseInt(group, 16);
    return [value >> 8, value & 0xff];
  });
}
