/** The types of the settings, and of the rows that say what each is. */
import type { Lease } from "../../control/lease.ts";
import type { Offloads } from "../../dataplane/offloads.ts";
import type { PortRange } from "../../io/linux/senders.ts";
import type { GroupPolicy } from "../../wire/vxlan.ts";
import type { LogFormat } from "../logging/formats.ts";
import type { OffloadSwitch } from "./offload.ts";
import type { Reader } from "./values.ts";

/** Every setting as it was given, or its default; null is "found out at start". */
export interface Settings {
  readonly vni: number;
  readonly device: string | null;
  readonly address: readonly string[];
  readonly mtu: number | null;
  readonly vtepMac: string | null;
  readonly local: string | null;
  readonly dev: string | null;
  readonly port: number;
  readonly underlay: "batch" | "dgram" | "raw";
  readonly remote: readonly string[];
  readonly group: string | null;
  readonly floodRate: number;
  readonly learning: boolean;
  readonly ageing: number;
  readonly maxaddress: number;
  readonly senderCheck: "strict" | "mac" | "off" | null;
  readonly reservedBits: "rfc" | "linux";
  readonly tos: "inherit" | number;
  readonly ttl: "auto" | "inherit" | number;
  readonly df: "unset" | "set" | "inherit";
  readonly udpChecksum: "computed" | "zero";
  readonly sourcePorts: "fixed" | PortRange;
  readonly receiveBuffer: number;
  readonly sendBuffer: number;
  readonly offload: Offloads;
  readonly queues: "auto" | number;
  readonly spin: "auto" | "off" | number;
  readonly flowlabel: number;
  readonly udp6zerocsumrx: boolean;
  readonly vlan: "pass" | "rfc";
  readonly gbp: "off" | GroupPolicy;
  readonly pmtu: "icmp" | "off";
  readonly pmtuProbe: "off" | number;
  readonly socket: string;
  readonly ephemeral: boolean;
  readonly logLevel: "error" | "warn" | "info" | "debug";
  readonly logFormat: LogFormat;
  readonly healthAddress: "off" | string;
  readonly proxy: boolean;
  readonly proxyUnknown: "drop" | "forward";
  readonly neighbours: readonly string[];
  readonly l2miss: boolean;
  readonly l3miss: boolean;
  readonly peers: readonly Lease[];
}

export type SettingName = keyof Settings;

export interface Setting {
  readonly name: SettingName;
  /** "--sender-check"; null when it can only stand in the file. */
  readonly flag: string | null;
  /** What stands for the value in help, as "BYTES"; null for a flag without one. */
  readonly placeholder: string | null;
  /** "POPLIN_SENDER_CHECK"; null when it can only stand in the file. */
  readonly env: string | null;
  /**
   * `peers` is a list of maps with the fields of `PEER_FIELDS`; `list` takes one value or several; `words` takes several
   * as `name=value`, in the file also as one text or as a map.
   */
  readonly shape: "scalar" | "list" | "words" | "peers";
  /** Whether a flag or a variable may give several. */
  readonly severalValues: boolean;
  /** Reads the value; of several, one. */
  readonly read: Reader<unknown>;
  /** Makes the setting's value of what `read` made of each. */
  readonly gather: (values: readonly unknown[]) => unknown;
  /** The value for people, as `read` would take it. */
  readonly format: (value: unknown) => string;
  /** The value when nobody gives one. */
  readonly fallback: Settings[SettingName];
  /** The same for people. */
  readonly defaultText: string;
  /** A value as one would write it in the file. */
  readonly example: string;
  readonly description: string;
  /** `live`: a reload changes it while packets flow. `restart`: a reload that changes it is refused. */
  readonly reload: "live" | "restart";
}

/** What `read` makes of one value, where that is not the setting's own value. */
interface Parts {
  address: string;
  remote: string;
  neighbours: string;
  offload: OffloadSwitch;
  peers: never;
}

/** What is written down of a setting; `SETTINGS` has the rest. */
export interface Row<N extends SettingName> {
  read: Reader<N extends keyof Parts ? Parts[N] : Settings[N]>;
  shape?: Setting["shape"];
  gather?: (values: readonly (N extends keyof Parts ? Parts[N] : Settings[N])[]) => Settings[N];
  format?: (value: Settings[N]) => string;
  fallback: Settings[N];
  defaultText?: string;
  example: string;
  description: string;
  reload: Setting["reload"];
  placeholder?: string | null;
}

/** The rows of some settings: those of one topic, in `rows/`. */
export type Rows<N extends SettingName> = { readonly [K in N]: Row<K> };
