/**
 * What this machine can do for many packets at once, found out with packets before the first real one: each offload is
 * tried, and left out where it is refused or brings other bytes than were sent. A probe that fails in a way that
 * nobody thought of counts as "cannot", and never keeps an agent from starting.
 */
import { close } from "node:fs";
import { OFFLOAD_NAMES, type OffloadName, type OffloadReport } from "../../dataplane/offloads.ts";
import { probeTap } from "./probe/tap.ts";
import { probeUdp } from "./probe/udp.ts";
import { loadShim } from "./shim.ts";
import { openTap } from "./tap.ts";

/**
 * Tries what goes through the TAP. It is loaded with a device of its own, which the kernel removes in the background.
 * @returns why each is not to be used, null where it may; nothing about the others
 */
export function probeTapOffloads(): Partial<OffloadReport> {
  return guarded(["tap-csum", "tap-tso", "tap-uso", "tcp-coalesce", "udp-coalesce"], () => {
    const tap = openTap("poplin%d");
    try {
      return probeTap(tap);
    } finally {
      // On a thread of libuv's pool: the end of a device waits for what other CPUs are doing.
      close(tap.fd, () => {});
    }
  });
}

/**
 * Tries what goes through a UDP socket.
 * @param local our underlay address, as text and as bytes
 */
export function probeUdpOffloads(family: 4 | 6, local: string, bytes: Uint8Array): Partial<OffloadReport> {
  return guarded(["udp-gso", "udp-gro"], () => {
    const { gso, gro } = probeUdp(family, local, bytes);
    return { "udp-gso": gso, "udp-gro": gro };
  });
}

function guarded(names: readonly OffloadName[], probe: () => Partial<OffloadReport>): Partial<OffloadReport> {
  try {
    loadShim();
    return probe();
  } catch (error) {
    const why = `it could not be tried: ${(error as Error).message}`;
    return Object.fromEntries(
      OFFLOAD_NAMES.filter((name) => names.includes(name)).map((name) => [name, why]),
    );
  }
}
