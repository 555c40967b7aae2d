/** What `poplin ping` has measured, before it is judged: plain data. */
import type { DropReason } from "../../dataplane/drops.ts";
import type { Target } from "./target.ts";

/** Echo requests and their answers. */
export interface Rounds {
  readonly address: string;
  readonly sent: number;
  /** Milliseconds of each answer, in the order of the requests. */
  readonly times: readonly number[];
  /** The errno's name when the kernel took none of them. */
  readonly refused: string;
}

export interface PingEvidence {
  readonly target: Target;
  readonly port: number;
  readonly family: 4 | 6;
  readonly underlay: Rounds;
  /** Of an empty datagram to its port: "" when nobody refused it, else the errno's name. */
  readonly udp: string;
  /** Null where no address inside is known. */
  readonly inner: Rounds | null;
  /** Where the kernel sends to that address: the interface, or "" with the reason. */
  readonly way: { readonly device: string; readonly said: string } | null;
  /** Whether it is reached past the overlay. */
  readonly direct: boolean;
  /** Something else that came back from inside, though no echo did: a refused connection. Null where it was not tried. */
  readonly otherSign: { readonly what: string; readonly ms: number } | null;
  /** What the overlay's counters grew by meanwhile. */
  readonly counted: Counted;
  /** Null where it was not asked for. */
  readonly mtu: MtuEvidence | null;
}

export interface Counted {
  readonly txFrames: number;
  readonly rxFrames: number;
  readonly tx: Partial<Record<DropReason, number>>;
  readonly rx: Partial<Record<DropReason, number>>;
}

export interface MtuEvidence {
  /** The largest IP packet that got an answer, with DF set; null where none did. */
  readonly underlay: number | null;
  readonly inner: number | null;
  readonly device: number;
  /** What a full packet of the overlay needs below. */
  readonly needed: number;
}
