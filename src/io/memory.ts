/** The in-memory twins of both ports: for tests, for the demo without root, and for the pages that teach. */
export {
  MemoryNetwork,
  type MemoryNetworkOptions,
  MemoryUnderlay,
  type MemoryUnderlayOptions,
} from "./memory/network.ts";
export { MemoryTap, type MemoryTapOptions, type WrittenFrame } from "./memory/tap.ts";
