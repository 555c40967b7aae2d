/**
 * The senders of datagrams as node:dgram names them, back in the kernel's form. The text of an address is parsed
 * once; peers are few, and whoever floods us from made-up addresses only empties the memory of them.
 */
import { ADDRESS_BYTES, writeSockaddr } from "../../fdb/sockaddr.ts";
import { putU16 } from "../../wire/bytes.ts";
import { ntopBytes } from "../portable.ts";

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
    writeSockaddr(row, 0, ntopBytes(address), 0);
    if (this.#rows.size === MEMORY) this.#rows.clear();
    this.#rows.set(address, row);
    return row;
  }
}
