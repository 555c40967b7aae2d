/** Why an agent did not take over from another, in sentences for the person who has to act on it. */

export type TakeOverErrorCode =
  | "TAKE_OVER_REFUSED"
  | "TAKE_OVER_PROTOCOL"
  | "TAKE_OVER_PERMISSION"
  | "TAKE_OVER_TIMEOUT"
  /** The old agent is gone: there is nobody to take over from any more. */
  | "TAKE_OVER_LOST";

/** What a process exits with: the table of exit codes in README.md. */
const EXIT_CODES: Partial<Record<TakeOverErrorCode, number>> = {
  TAKE_OVER_PERMISSION: 4,
  TAKE_OVER_TIMEOUT: 5,
};

export class TakeOverError extends Error {
  readonly code: TakeOverErrorCode;
  readonly remedy: string;
  readonly exitCode: number;

  constructor(code: TakeOverErrorCode, message: string, remedy: string, cause?: unknown) {
    super(message, cause === undefined ? {} : { cause });
    this.name = "TakeOverError";
    this.code = code;
    this.remedy = remedy;
    this.exitCode = EXIT_CODES[code] ?? 1;
  }
}
