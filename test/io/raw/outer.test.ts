import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ADDRESS_BYTES } from "../../../src/dataplane/ring.ts";
import { writeSockaddr } from "../../../src/fdb/sockaddr.ts";
import { defaultTtl } from "../../../src/io/raw/default-ttl.ts";
import { OUTER_LENGTH, OuterHeaders } from "../../../src/io/raw/outer.ts";
import { formatIpv4, u32 } from "../../../src/wire/bytes.ts";
import { decode } from "../../../src/wire/decode.ts";
import { IPV4 } from "../../../src/wire/ipv4.ts";
import { UDP } from "../../../src/wire/udp.ts";

const PORT = fc.integer({ min: 1, max: 65_535 });
const ADDRESS = fc.uint8Array({ minLength: 4, maxLength: 4 });

describe("OuterHeaders", () => {
  it("writes what the tables read, whatever was written before", () => {
    const send = fc.record({
      tos: fc.nat(255),
      sourcePort: fc.nat(65_535),
      to: ADDRESS,
      port: PORT,
      length: fc.nat(65_507),
    });
    const options = fc.record({
      source: ADDRESS,
      port: PORT,
      ttl: fc.integer({ min: 1, max: 255 }),
      dontFragment: fc.boolean(),
    });
    fc.assert(
      fc.property(options, fc.array(send, { minLength: 1, maxLength: 5 }), ({ source, ...rest }, sends) => {
        const bytes = new Uint8Array(OUTER_LENGTH + 4).fill(0xa5);
        const headers = new OuterHeaders(bytes, { address: formatIpv4(source, 0), ...rest });
        for (const { tos, sourcePort, to, port, length } of sends) {
          const slab = new Uint8Array(2 * ADDRESS_BYTES).fill(0xff);
          writeSockaddr(slab, ADDRESS_BYTES, to, port);
          headers.write(tos, sourcePort, slab, ADDRESS_BYTES, length);
          expect(decode(IPV4, bytes).values).toEqual({
            version: 4,
            headerLength: 5,
            dscp: tos >> 2,
            ecn: tos & 3,
            totalLength: 28 + length,
            identification: 0,
            reserved: 0,
            dontFragment: rest.dontFragment ? 1 : 0,
            moreFragments: 0,
            fragmentOffset: 0,
            ttl: rest.ttl,
            protocol: 17,
            headerChecksum: 0,
            source: u32(source, 0),
            destination: u32(to, 0),
          });
          expect(decode(UDP, bytes, 20).values).toEqual({
            sourcePort: sourcePort || rest.port,
            destinationPort: port,
            length: 8 + length,
            checksum: 0,
          });
          expect([...bytes.subarray(OUTER_LENGTH)]).toEqual([0xa5, 0xa5, 0xa5, 0xa5]);
        }
      }),
    );
  });

  it("gives one datagram what it asks for: TTL and DF; to a group TTL 1 where none was given", () => {
    const bytes = new Uint8Array(OUTER_LENGTH);
    const slab = new Uint8Array(2 * ADDRESS_BYTES);
    writeSockaddr(slab, 0, Uint8Array.of(10, 0, 0, 1), 8472);
    writeSockaddr(slab, ADDRESS_BYTES, Uint8Array.of(239, 0, 0, 1), 8472);
    const of = (options: { ttl: number; multicastTtl?: number }, row: number, ttl: number, df: boolean) => {
      const headers = new OuterHeaders(bytes, { address: "", port: 1, dontFragment: false, ...options });
      headers.vary(255, !df); // what the one before asked for is of no account
      headers.write(0, 0, slab, 0, 8);
      headers.vary(ttl, df);
      headers.write(0, 0, slab, row * ADDRESS_BYTES, 8);
      const { values } = decode(IPV4, bytes);
      return [values.ttl, values.dontFragment];
    };
    expect(of({ ttl: 9 }, 0, 200, true)).toEqual([200, 1]);
    expect(of({ ttl: 9 }, 0, 0, false)).toEqual([9, 0]);
    expect(of({ ttl: 0 }, 1, 0, false)).toEqual([1, 0]);
    expect(of({ ttl: 9 }, 1, 0, true)).toEqual([9, 1]);
    expect(of({ ttl: 0, multicastTtl: 64 }, 1, 0, false)).toEqual([64, 0]);
    expect(of({ ttl: 0, multicastTtl: 64 }, 1, 3, false)).toEqual([3, 0]);
  });

  it("leaves the source address to the kernel for the wildcard, and takes its default for a TTL of 0", () => {
    const bytes = new Uint8Array(OUTER_LENGTH);
    new OuterHeaders(bytes, { address: "", port: 8472, ttl: 0, dontFragment: false });
    expect(decode(IPV4, bytes).values).toMatchObject({ source: 0, ttl: defaultTtl(), dontFragment: 0 });
  });
});
