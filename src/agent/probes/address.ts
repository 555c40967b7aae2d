/** The setting `healthAddress`: where the pages are served over TCP. */
import { HostError } from "../../host/command.ts";
import type { HealthSource } from "./pages.ts";
import { HealthServer } from "./server.ts";

/** @param address "127.0.0.1:9472", "[::1]:9472". @throws HostError where it cannot listen there */
export async function serveHealth(address: string, source: HealthSource): Promise<HealthServer> {
  const at = address.lastIndexOf(":");
  const host = address.slice(0, at).replace(/^\[(.*)\]$/, "$1");
  try {
    return await HealthServer.start({ host, port: Number(address.slice(at + 1)) }, source);
  } catch (error) {
    const message = `nothing can listen on healthAddress ${address}: ${(error as Error).message}`;
    throw new HostError("HOST_BAD_OPTION", message, "give another --health-address, or `off`");
  }
}
