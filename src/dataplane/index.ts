/** `poplin/dataplane`: the hot path, and the two ports to plug devices into. */
export * from "./arena.ts";
export {
  COUNTER_NAMES,
  type CounterName,
  type CounterSnapshot,
  Counters,
  type Direction,
} from "./counters.ts";
export { Dataplane, type DataplaneHealth } from "./dataplane.ts";
export { driveBlocking } from "./drive-blocking.ts";
export { EventDriver } from "./drive-events.ts";
export { DROP_REASONS, DROPS, type DropReason } from "./drops.ts";
export { EventRing } from "./event-ring.ts";
export type { Loop } from "./loop.ts";
export {
  everyOffload,
  OFFLOAD_NAMES,
  OFFLOADS,
  type OffloadName,
  type OffloadReport,
  type Offloads,
  usualOffloads,
} from "./offloads.ts";
export type {
  DataplaneOptions,
  DataplanePolicy,
  FdbChange,
  FdbRefusal,
  FdbRow,
  FdbUpdate,
  NeighbourChange,
  NeighbourRefusal,
  NeighbourUpdate,
  OverlayOptions,
  ProxyPolicy,
  SharedOptions,
} from "./options.ts";
export type { PortFailure } from "./port-failures.ts";
export type { BlockedTaps, Port, ReadyTaps, Tap, Underlay, UnderlayCapabilities, Waiter } from "./ports.ts";
export * from "./ring.ts";
