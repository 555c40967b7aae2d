/** What `poplin capture` says at its end. Pure. */
import { count, plural } from "./output.ts";

export interface CaptureCounts {
  readonly packets: number;
  readonly fragments: number;
  /** Packets longer than the capture takes. */
  readonly truncated: number;
  /** Lost in the kernel's ring; null when nobody could ask. */
  readonly dropped: number | null;
  /** Gaps in the capture, each with its own unknown number of packets. */
  readonly restarts: number;
  /** File for pcapng, "-" for standard output, null for text. */
  readonly file: string | null;
}

export function captureSummary({
  packets,
  fragments,
  truncated,
  dropped,
  restarts,
  file,
}: CaptureCounts): string[] {
  const where = file === null || file === "-" ? "" : ` to ${file}`;
  const lost =
    dropped === null
      ? "unknown how many dropped (the native shim is not built)"
      : `${count(dropped)} dropped`;
  const lines = [`${plural(packets, "packet")}${where}, ${lost}`];
  if ((dropped ?? 0) > 0) {
    const advice = file === null ? ": -w takes more than lines of text" : "";
    lines.push(`! packets came faster than they could be taken${advice}`);
  }
  if (restarts > 0) {
    lines.push(
      `! and there ${restarts === 1 ? "is" : "are"} ${plural(restarts, "gap")} in which nobody counted`,
    );
  }
  if (truncated > 0) lines.push(`! ${plural(truncated, "packet is", "packets are")} cut off at 65,535 bytes`);
  if (fragments > 0) {
    lines.push(
      `! ${plural(fragments, "is a fragment", "are fragments")}: the overlay's MTU is too large for the underlay`,
      "  → set `mtu` to the underlay's MTU less 50, or less 70 over IPv6 (RFC 7348 section 4.3)",
    );
  }
  return lines;
}
