/** What can go wrong with a lab. */

export type LabErrorCode =
  /** Not root, no `ip`, or no right to make namespaces. */
  | "LAB_UNAVAILABLE"
  /** A command in the lab failed, or took too long. */
  | "LAB_COMMAND"
  /** An agent ended, or was not ready in time. */
  | "LAB_AGENT"
  /** A CNI plugin failed, or a network configuration is wrong. */
  | "LAB_CNI"
  /** Nothing of that name. */
  | "LAB_UNKNOWN";

export class LabError extends Error {
  readonly code: LabErrorCode;
  readonly remedy: string | null;

  constructor(code: LabErrorCode, message: string, remedy: string | null = null) {
    super(message);
    this.name = "LabError";
    this.code = code;
    this.remedy = remedy;
  }
}
