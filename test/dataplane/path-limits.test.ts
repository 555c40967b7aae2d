/** Limits of paths in a whole dataplane: whom they concern, from when on, and until when. */
import { expect, it } from "vitest";
import { MAC_B } from "./frames.ts";
import { setUp, slotsInUse, tapFrame } from "./ports.ts";

const ADDRESS = Uint8Array.of(172, 19, 0, 3);
const LIMITS = [{ address: "172.19.0.3", mtu: 1350 }];
/** A frame with an IP packet of 1,400 bytes. */
const LONG = tapFrame(1400 - 28);

function send(made: ReturnType<typeof setUp>): "answered" | "sent" {
  const { tap, underlay, loop } = made;
  const [answers, sent] = [tap.outgoing.length, underlay.outgoing.length];
  tap.incoming.push(LONG);
  while (loop.turn() > 0);
  expect(tap.outgoing.length - answers + underlay.outgoing.length - sent).toBe(1);
  return tap.outgoing.length > answers ? "answered" : "sent";
}

it("what is too long comes back to the TAP as an answer, from the next turn on, and until it is taken back", () => {
  const made = setUp();
  expect(send(made)).toBe("sent");
  made.dataplane.setPathLimits(LIMITS);
  expect(send(made)).toBe("answered");
  expect(made.counters.drops("tx", "PKT_TOO_BIG")).toBe(1);
  expect(made.counters.get("txFrames")).toBe(1);
  made.dataplane.setPathLimits([]);
  expect(send(made)).toBe("sent");
  expect(slotsInUse(made.dataplane)).toBe(0);
});

it("a VTEP that comes later has the limit of its address, and none of whoever had its index", () => {
  const made = setUp();
  made.dataplane.setPathLimits(LIMITS);
  const row = { op: "replace", mac: MAC_B, port: 8472 } as const;
  made.dataplane.update({ ...row, address: Uint8Array.of(172, 19, 0, 4) });
  expect(send(made)).toBe("sent");
  made.dataplane.update({ ...row, address: ADDRESS, port: 4789 });
  expect(send(made)).toBe("answered");
});

it("answers wait for a TAP that takes none, and what finds no room is dropped", () => {
  const { tap, underlay, loop, dataplane, counters } = setUp();
  dataplane.setPathLimits(LIMITS);
  tap.writes.push(...new Array(30).fill(0));
  for (let i = 0; i < 500; i++) tap.incoming.push(LONG);
  for (let i = 0; i < 20; i++) loop.turn();
  expect(tap.outgoing).toEqual([]);
  expect(counters.drops("tx", "PKT_TOO_BIG")).toBe(500);
  while (loop.turn() > 0 || loop.tapBlocked);
  expect(tap.outgoing.length).toBeGreaterThanOrEqual(50);
  expect(tap.outgoing.length).toBeLessThanOrEqual(64);
  expect(underlay.outgoing).toEqual([]);
  expect(slotsInUse(dataplane)).toBe(0);
});
