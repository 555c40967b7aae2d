/**
 * `poplin/io`: ports in memory, captures, and middleware. None of it needs Linux or a Node API.
 *
 * @example
 * ```ts
 * const network = new MemoryNetwork();
 * const tap = new MemoryTap();
 * const underlay = network.attach({ address: Uint8Array.of(10, 0, 0, 1), port: 8472 });
 * const worse = new FaultyUnderlay(underlay, { seed: 1, loss: 0.01 });
 * ```
 */
export {
  type Capture,
  type CapturedPacket,
  CaptureFormatError,
  readCapture,
} from "./capture-reader.ts";
export * from "./memory.ts";
export * from "./middleware.ts";
export {
  type CaptureInterface,
  LINKTYPE_ETHERNET,
  LINKTYPE_RAW,
  nowNanoseconds,
  type PacketNotes,
  PcapngWriter,
} from "./pcapng.ts";
