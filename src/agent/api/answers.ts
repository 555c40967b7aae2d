/** What the API answers with, path by path: the JSON between its server (`server.ts`) and its client (`client.ts`). */
import type { CounterSnapshot } from "../../dataplane/counters.ts";
import type { FdbRow } from "../../dataplane/options.ts";
import type { Neighbour } from "../../fdb/neighbours.ts";
import type { Level } from "../logging/formats.ts";
import type { OfDevice } from "./agent-view.ts";
import type { LeaseStatus } from "./cluster-types.ts";
import type { SCHEMA } from "./schema.ts";

/** GET /v1/stats. */
export type StatsAnswer = CounterSnapshot & { readonly schema: typeof SCHEMA };

/** GET /v1/fdb. */
export interface FdbAnswer {
  readonly schema: typeof SCHEMA;
  readonly rows: readonly OfDevice<FdbRow>[];
}

/** GET /v1/fdb/why?mac=…, and as all that is about overlays `vni=` or `dev=` */
export interface WhyAnswer {
  readonly schema: typeof SCHEMA;
  readonly reasons: readonly FdbReasonJson[];
}

/** A row, with the packet that it was learned from. */
export interface FdbReasonJson {
  readonly row: OfDevice<FdbRow>;
  /** Null for a static row, and where the packet is no longer remembered. */
  readonly lesson: {
    readonly at: string;
    /** Outer source address and UDP port. */
    readonly address: string;
    readonly port: number;
    /** Bytes of the inner frame, and the first of them in hexadecimal. */
    readonly length: number;
    readonly frame: string;
  } | null;
}

/** POST /v1/fdb/flush. */
export interface FlushAnswer {
  readonly schema: typeof SCHEMA;
  /** Learned rows that are gone. */
  readonly flushed: number;
}

/** GET /v1/leases. */
export interface LeaseAnswer {
  readonly schema: typeof SCHEMA;
  readonly leases: readonly LeaseStatus[];
}

/** GET /v1/neigh. */
export interface NeighbourAnswer {
  readonly schema: typeof SCHEMA;
  readonly rows: readonly OfDevice<Neighbour>[];
}

/** GET /v1/plan. */
export interface PlanAnswer {
  readonly schema: typeof SCHEMA;
  readonly steps: readonly string[];
}

/** POST /v1/reconcile. */
export interface ReconcileAnswer {
  readonly schema: typeof SCHEMA;
  /** Rows that were not in place, and are now. */
  readonly changed: number;
}

/** What every answer with a status of 400 and above holds. */
export interface ErrorAnswer {
  readonly error: { readonly code: string; readonly message: string; readonly remedy: string | null };
}

/** GET and POST /v1/log-level. */
export interface LogLevelAnswer {
  readonly schema: typeof SCHEMA;
  readonly level: Level;
}
