/** `poplin/fdb`: who owns a MAC, and where that VTEP is. */
export { Fdb, type FdbEntry, isGroup, PERMANENT, type Probes, REACHABLE } from "./fdb.ts";
export { type Neighbour, NeighbourTable } from "./neighbours.ts";
export { RemoteSets, SETS } from "./remotes.ts";
export {
  ADDRESS_BYTES,
  AF_INET,
  AF_INET6,
  sockaddrAddressAt,
  sockaddrFamily,
  sockaddrPort,
  writeSockaddr,
} from "./sockaddr.ts";
export { type Vtep, VtepTable } from "./vteps.ts";
