/** What can be wrong with what a caller hands to this room. Bytes from the network never cause one of these. */
export type WireErrorCode =
  /** Text that is no MAC address. */
  | "WIRE_BAD_MAC"
  /** Text that is not hexadecimal. */
  | "WIRE_BAD_HEX"
  /** A value that does not fit its field, or a field that the table does not have. */
  | "WIRE_BAD_VALUE";

/** A mistake in the arguments of a function of `wire/`, with a code that stays the same between versions. */
export class WireError extends Error {
  readonly code: WireErrorCode;

  constructor(code: WireErrorCode, message: string) {
    super(message);
    this.name = "WireError";
    this.code = code;
  }
}
