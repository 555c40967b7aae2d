import type { RemoteInfo } from "node:dgram";
import { describe, expect, it } from "vitest";
import { VXLAN_AT } from "../../../src/dataplane/arena.ts";
import { AF_INET6, sockaddrAddressAt, sockaddrFamily, sockaddrPort } from "../../../src/fdb/sockaddr.ts";
import { Inbox } from "../../../src/io/dgram/inbox.ts";
import { formatIpv6 } from "../../../src/wire/bytes.ts";
import { packet, Side, serialOf } from "../side.ts";

const FROM: RemoteInfo = { address: "192.0.2.1", family: "IPv4", port: 8472, size: 0 };

function receive(inbox: Inbox, side: Side, count = inbox.length) {
  const prepared = side.filled.prepare(count, VXLAN_AT);
  for (let i = 0; i < prepared; i++) inbox.receive(side.filled, side.filled.head + i);
  side.filled.publish(prepared, prepared);
  return side.drain();
}

describe("Inbox", () => {
  it("gives back what came, oldest first, for longer than it has places", () => {
    const inbox = new Inbox();
    const side = new Side(16, 128);
    let received = 0;
    for (let i = 0; i < 5000; i++) {
      inbox.push(Buffer.from(packet(i, 40)), FROM);
      if (i % 7 === 6) for (const { bytes } of receive(inbox, side)) expect(serialOf(bytes)).toBe(received++);
    }
    expect(inbox.length).toBe(5000 - received);
    expect(inbox.overflows).toBe(0);
  });

  it("drops and counts the 1025th that waits, and what goes beyond 8 MiB", () => {
    const full = new Inbox();
    for (let i = 0; i < 1030; i++) full.push(Buffer.from(packet(i)), FROM);
    expect([full.length, full.overflows]).toEqual([1024, 6]);
    const [first] = receive(full, new Side(1, 128), 1);
    expect(serialOf(first!.bytes)).toBe(0);
    full.push(Buffer.from(packet(2000)), FROM);
    expect([full.length, full.overflows]).toEqual([1024, 6]);

    const heavy = new Inbox();
    const large = Buffer.alloc(65_000);
    for (let i = 0; i < 200; i++) heavy.push(large, FROM);
    expect([heavy.length, heavy.overflows]).toEqual([129, 71]);
    heavy.clear();
    expect(heavy.length).toBe(0);
    heavy.push(large, FROM);
    expect([heavy.length, heavy.overflows]).toEqual([1, 71]);
  });

  it("writes the sender as the kernel would, more senders than it remembers", () => {
    const inbox = new Inbox();
    const side = new Side(1, 128);
    side.filled.addresses.fill(0xff);
    for (let i = 0; i < 3000; i++) {
      const address = `2001:db8::${(i % 1500).toString(16)}:1`;
      inbox.push(Buffer.from("x"), { address, family: "IPv6", port: 1 + i, size: 1 });
      const { from } = receive(inbox, side)[0]!;
      expect([sockaddrFamily(from, 0), sockaddrPort(from, 0)]).toEqual([AF_INET6, 1 + i]);
      expect(formatIpv6(from, sockaddrAddressAt(from, 0))).toBe(i % 1500 === 0 ? "2001:db8::1" : address);
    }
  });
});
