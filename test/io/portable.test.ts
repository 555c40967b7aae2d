import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ADDRESS_BYTES } from "../../src/dataplane/ring.ts";
import { writeSockaddr } from "../../src/fdb/sockaddr.ts";
import { ntopBytes, PeerTexts } from "../../src/io/portable.ts";
import { formatIpv4, formatIpv6 } from "../../src/wire/bytes.ts";

/** Addresses with runs of zero bytes, where the short forms are. */
const ADDRESS = fc.oneof(
  fc.uint8Array({ minLength: 4, maxLength: 4 }),
  fc
    .array(fc.oneof({ weight: 2, arbitrary: fc.constant([0, 0]) }, fc.tuple(fc.nat(255), fc.nat(255))), {
      minLength: 8,
      maxLength: 8,
    })
    .map((groups) => Uint8Array.from(groups.flat())),
);

function format(address: Uint8Array): string {
  return (address.length === 4 ? formatIpv4 : formatIpv6)(address, 0);
}

describe("ntopBytes", () => {
  it("reads every address that is formatted", () => {
    fc.assert(
      fc.property(ADDRESS, (address) => {
        expect(ntopBytes(format(address))).toEqual(address);
      }),
    );
  });

  it("reads what only inet_ntop(3) writes, and leaves a zone out", () => {
    const last = (...bytes: number[]) => Uint8Array.from([...new Array(16 - bytes.length).fill(0), ...bytes]);
    expect(ntopBytes("::")).toEqual(last());
    expect(ntopBytes("::192.0.2.1")).toEqual(last(192, 0, 2, 1));
    expect(ntopBytes("::ffff:192.0.2.1")).toEqual(last(0xff, 0xff, 192, 0, 2, 1));
    expect(ntopBytes("fe80::1%eth0")).toEqual(Uint8Array.from([0xfe, 0x80, ...last(1).subarray(2)]));
  });
});

describe("PeerTexts", () => {
  it("follows every change of a slab, also when the slab grows", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(40), ADDRESS), { maxLength: 60 }), (changes) => {
        const peers = new PeerTexts();
        const rows = new Map<number, string>();
        let slab = new Uint8Array(2 * ADDRESS_BYTES);
        for (const [row, address] of changes) {
          if ((row + 1) * ADDRESS_BYTES > slab.length) {
            const grown = new Uint8Array((row + 1) * ADDRESS_BYTES);
            grown.set(slab);
            slab = grown;
          }
          writeSockaddr(slab, row * ADDRESS_BYTES, address, 8472);
          rows.set(row, format(address));
          for (const [peer, text] of rows) expect(peers.of(slab, peer)).toBe(text);
        }
      }),
    );
  });

  it("makes a text once", () => {
    const slab = new Uint8Array(ADDRESS_BYTES);
    writeSockaddr(slab, 0, Uint8Array.of(192, 0, 2, 1), 8472);
    const peers = new PeerTexts();
    peers.of(slab, 0);
    const poisoned = new Proxy(slab, {
      get(target, key) {
        if (key === "subarray") throw new Error("read again");
        return Reflect.get(target, key, target);
      },
    });
    expect(peers.of(poisoned, 0)).toBe("192.0.2.1");
  });
});
