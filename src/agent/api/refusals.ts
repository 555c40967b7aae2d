/** What the agent refuses, in words for people and for HTTP. */

/** Why the agent refuses a request, with the HTTP status that says so. Another code is answered with 500. */
export const REFUSALS = {
  BAD_MAC: 400,
  /** The same, as `wire/` says it. */
  WIRE_BAD_MAC: 400,
  BAD_ADDRESS: 400,
  /** The VTEP's address is of a family that this underlay does not carry. */
  WRONG_FAMILY: 400,
  NO_SUCH_ROW: 404,
  /** No overlay of the agent has this VNI. */
  NO_SUCH_VNI: 404,
  /** The peers of this agent stand in its file. */
  NO_CLUSTER: 404,
  /** No overlay of the agent has this device. */
  NO_SUCH_DEVICE: 404,
  /** It has several, and the change does not say which is meant. */
  WHICH_VNI: 400,
  ROW_EXISTS: 409,
  /** This kind of row does not know this change. */
  NOT_POSSIBLE: 409,
  /** As many listen to the events as may. */
  TOO_MANY_LISTENERS: 503,
  /** The dataplane is not up yet. */
  UNAVAILABLE: 503,
  DATAPLANE_ENDED: 503,
} as const;

export type RefusalCode = keyof typeof REFUSALS;

/** A request the agent refuses, in words for people. */
export class AgentError extends Error {
  readonly code: RefusalCode;
  readonly remedy: string | null;

  constructor(code: RefusalCode, message: string, remedy: string | null = null) {
    super(message);
    this.name = "AgentError";
    this.code = code;
    this.remedy = remedy;
  }
}
