/** What a receiver does with a packet, and whose words say so. */

/** `in`: let in. `may-drop`: the standard leaves it open. `elsewhere`: somebody else's, on this host or another. */
export type Fate = "in" | "drop" | "may-drop" | "elsewhere";

export interface Judgement {
  readonly fate: Fate;
  /** The kernel's word for it (`enum skb_drop_reason`, poplin's counters); null where it has none. */
  readonly reason: string | null;
  /** The id of the field that decides; null where none does. */
  readonly field: string | null;
  /** One sentence: what happens, and why. */
  readonly words: string;
  /** Where that is written: a standard's section, a function of the kernel's. */
  readonly source: string;
}

/** The VTEP that the packet arrives at. */
export interface Receiver {
  /** The one VNI that it has. */
  readonly vni: number;
  /** UDP port that it listens to. */
  readonly port: number;
  /** The MAC of its own device. */
  readonly mac: string;
  /** Whether it learns from what it lets in; flannel's do not. */
  readonly learning: boolean;
  /** Whether it has the group policy extension on. */
  readonly gbp: boolean;
  /** The largest inner IP packet that its overlay takes, in bytes. */
  readonly mtu: number;
  /** The VTEPs that it knows, by their underlay addresses; empty: whoever the packet comes from. */
  readonly peers: readonly string[];
  /** Its addresses on the underlay, as text; empty: whatever the packet says. */
  readonly addresses: readonly string[];
  /** The MAC of its underlay's device; null: whatever the packet says. */
  readonly underlayMac: string | null;
}

/** Something that a receiver looks at, in its order: the first that applies decides. */
export interface Rule<View> {
  readonly reason: string | null;
  readonly fate: Fate;
  readonly words: string;
  /** Of the standard. */
  readonly source: string;
  /** The kernel's function. */
  readonly kernel: string;
  /** @returns the id of the field that is to blame; null where the rule does not apply */
  readonly applies: (view: View) => string | null;
}
