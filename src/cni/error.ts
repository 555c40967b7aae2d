/** How a plugin fails, by CNI's rules: a number that runtimes know, a sentence, and what to do about it. */

/** Numbers of the specification (section 5, "Error"); 999 is what plugins in Go have for all else. */
export const CNI_CODE = {
  version: 1,
  environment: 4,
  io: 5,
  decoding: 6,
  config: 7,
  tryAgain: 11,
  /** STATUS: pods cannot be attached now. */
  unavailable: 50,
  internal: 999,
} as const;

export class CniError extends Error {
  readonly code: number;
  /** What to do, or what else is known; "" when the message says it all. */
  readonly details: string;

  constructor(code: number, message: string, details = "", cause?: unknown) {
    super(message, cause === undefined ? {} : { cause });
    this.name = "CniError";
    this.code = code;
    this.details = details;
  }
}

/** @returns the object that goes to standard output */
export function errorResult(error: unknown, cniVersion: string): object {
  const { message, code, details } = error as CniError;
  const known = error instanceof CniError;
  return {
    cniVersion,
    code: known ? code : CNI_CODE.internal,
    msg: message,
    ...(known && details !== "" ? { details } : {}),
  };
}
