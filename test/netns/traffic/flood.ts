/** Floods a VTEP with datagrams of no use (`flood.mjs`). */
import { fileURLToPath } from "node:url";
import type { Host } from "../../../src/lab/host.ts";
import { VXLAN_PORT } from "../../../src/lab/node.ts";

const SCRIPT = fileURLToPath(new URL("flood.mjs", import.meta.url));

export interface Flood {
  readonly seconds: number;
  /** The same seed gives the same datagrams. */
  readonly seed: number;
  /** Address to send from, an IPv4 address of the host, and the VTEP's. */
  readonly from: string;
  readonly to: string;
  /** `garbage`: random bytes of random sizes. `mutants`: `samples`, spoilt. `macs`: one of them, each from another MAC. */
  readonly kind: "garbage" | "mutants" | "macs";
  /** Good datagrams. */
  readonly samples: readonly Uint8Array[];
  /** Datagrams after which it ends, if the time has not come before. */
  readonly most?: number;
  /** Datagrams a second; as many as it can when left out. */
  readonly rate?: number;
  /** Of the outer header. */
  readonly tos?: number;
  /** Where the VTEP listens; 8472 when left out. */
  readonly port?: number;
}

export interface FloodResult {
  /** Datagrams that the sender's kernel took. */
  readonly sent: number;
  readonly bytes: number;
  readonly seconds: number;
}

/** Floods from `host`, as fast as one process can. @throws Error when it could not */
export async function flood(host: Host, { samples, ...rest }: Flood): Promise<FloodResult> {
  const order = { port: VXLAN_PORT, ...rest, samples: samples.map((s) => Buffer.from(s).toString("base64")) };
  const { stdout } = await host.exec(process.execPath, [SCRIPT, JSON.stringify(order)], {
    timeout: (rest.seconds + 30) * 1000,
  });
  return JSON.parse(stdout) as FloodResult;
}
