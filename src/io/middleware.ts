/** Middleware: ports that wrap a port, to look at what passes or to spoil it. */
export {
  type CaptureOptions,
  captureTap,
  captureUnderlay,
  type UnderlayCaptureOptions,
} from "./middleware/capture.ts";
export {
  type FaultCounts,
  type FaultOptions,
  Faults,
  FaultyTap,
  FaultyUnderlay,
} from "./middleware/fault.ts";
export { type Passage, type TraceHandler, traceTap, traceUnderlay } from "./middleware/trace.ts";
