/**
 * What can go wrong when a TAP or a UDP socket is opened, in sentences for the person who has to act on it: what
 * happened, why, and what to do. One class for each case, with a `code` that stays the same between versions.
 */

/** The fields that the shim puts on what it throws. */
export interface SystemCallFailure {
  readonly code: string;
  readonly errno: number;
  readonly syscall: string;
}

/** Whether a caught value is the shim's report of a system call that failed. */
export function isSystemCallFailure(error: unknown): error is Error & SystemCallFailure {
  return error instanceof Error && "errno" in error && "syscall" in error && "code" in error;
}

/** A system call that the kernel refused. Also the class for refusals that have no class of their own below. */
export class SystemCallError extends Error {
  readonly code: string = "POPLIN_SYSTEM_CALL";
  /** The kernel's errno, a positive number, and its name. */
  readonly errno: number;
  readonly errnoName: string;
  /** The call, as "ioctl(TUNSETIFF)". */
  readonly syscall: string;
  /** What to do about it: a sentence, "" when we know nothing better than the errno. */
  readonly remedy: string;

  /** @param what what was tried and why it failed: a sentence without its full stop */
  constructor(what: string, remedy: string, cause: SystemCallFailure) {
    super(`${what} (${cause.syscall}: ${cause.code})${remedy === "" ? "" : `; ${remedy}`}`, { cause });
    this.name = new.target.name;
    this.errno = cause.errno;
    this.errnoName = cause.code;
    this.syscall = cause.syscall;
    this.remedy = remedy;
  }
}

/** We may not make or use TAP devices. */
export class TapPermissionError extends SystemCallError {
  override readonly code = "POPLIN_TAP_PERMISSION";
}

/** This machine has no /dev/net/tun, or no driver behind it. */
export class TunMissingError extends SystemCallError {
  override readonly code = "POPLIN_TUN_MISSING";
}

/** Another process holds a queue of the device. */
export class TapBusyError extends SystemCallError {
  override readonly code = "POPLIN_TAP_BUSY";
}

/** There is a device of this name that is no TAP, or a TAP with other flags. Delete it and open again. */
export class TapMismatchError extends SystemCallError {
  override readonly code = "POPLIN_TAP_MISMATCH";
}

/** The kernel takes no device of this name. */
export class TapNameError extends SystemCallError {
  override readonly code = "POPLIN_TAP_NAME";
}

/** Somebody else is bound to the UDP port. */
export class PortTakenError extends SystemCallError {
  override readonly code = "POPLIN_PORT_TAKEN";
}

/** The address to bind belongs to none of this machine's interfaces. */
export class AddressNotLocalError extends SystemCallError {
  override readonly code = "POPLIN_ADDRESS_NOT_LOCAL";
}
