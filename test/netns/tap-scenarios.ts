/** What `tap.test.ts` runs inside a namespace: a TAP of the kernel's, held to the contract of all TAPs. */
import { execFileSync } from "node:child_process";
import { FRAME_AT, VNET_LENGTH } from "../../src/dataplane/arena.ts";
import { LinuxTap, openTap } from "../../src/io/linux/tap.ts";
import { type OpenTap, TAP_CLAUSES } from "../contract/tap.contract.ts";
import { Side } from "../io/side.ts";

const [NAME, FAR, BRIDGE] = ["pop0", "pop1", "br0"];

function ip(...words: string[]): void {
  execFileSync("ip", words);
}

/**
 * A TAP, and a second one that is bridged to it: what one of them writes the other reads, through the kernel. Both
 * devices are gone when they are closed.
 */
function openBridged(): OpenTap & { close(): void } {
  const [tap, far] = [NAME, FAR].map((name) => new LinuxTap(openTap(name!).fd, name!)) as [
    LinuxTap,
    LinuxTap,
  ];
  ip("link", "add", BRIDGE!, "type", "bridge", "mcast_snooping", "0");
  for (const name of [NAME, FAR, BRIDGE]) ip("link", "set", name!, "addrgenmode", "none");
  for (const name of [NAME, FAR]) ip("link", "set", name!, "master", BRIDGE!, "up");
  ip("link", "set", BRIDGE!, "up");
  const side = new Side();
  return {
    tap,
    inject(frame) {
      const bytes = new Uint8Array(VNET_LENGTH + frame.length);
      bytes.set(frame, VNET_LENGTH);
      side.put(bytes, { head: VNET_LENGTH, at: FRAME_AT });
      const written = far.writeBatch(side.ready);
      if (written !== 1) throw new Error(`the far TAP took nothing: ${written}`);
    },
    taken() {
      far.readBatch(side.filled, 64);
      return side.drain().map(({ bytes }) => bytes.subarray(VNET_LENGTH));
    },
    close() {
      tap.close();
      far.close();
      ip("link", "del", BRIDGE!);
    },
  };
}

/** Runs every clause on devices of its own. @returns what is wrong, by clause; null where nothing is */
export async function contract(): Promise<Record<string, string | null>> {
  const results: Record<string, string | null> = {};
  for (const [name, clause] of Object.entries(TAP_CLAUSES)) {
    const open = openBridged();
    results[name] = await clause(open).then(
      () => null,
      (error: Error) => error.stack ?? error.message,
    );
    open.close();
  }
  return results;
}
