/** Why a TAP could not be opened, in words: from the errno of open(2) or TUNSETIFF (`drivers/net/tun.c`). */
import {
  SystemCallError,
  type SystemCallFailure,
  TapBusyError,
  TapMismatchError,
  TapNameError,
  TapPermissionError,
  TunMissingError,
} from "./errors.ts";
import type { ProcessName } from "./holders.ts";

const EPERM = 1;
const ENOENT = 2;
const ENXIO = 6;
const E2BIG = 7;
const EACCES = 13;
const EBUSY = 16;
const ENODEV = 19;
const EINVAL = 22;

/** Turns a failure into an error, or undefined when it is none. */
export type Explanation = (name: string, cause: SystemCallFailure) => SystemCallError | undefined;

/** A device that should be made could not be. @returns undefined when it is there already (IFF_TUN_EXCL) */
export function explainNew(name: string, cause: SystemCallFailure): SystemCallError | undefined {
  if (cause.errno === EBUSY) return undefined;
  if (cause.errno === EINVAL) {
    return new TapNameError(
      `the kernel takes no network device called ${JSON.stringify(name)}`,
      'use 1 to 15 characters, none of them a space, "/" or ":"',
      cause,
    );
  }
  return explainOther(name, cause);
}

/** A device that is there could not be opened. */
export function explainOld(name: string, cause: SystemCallFailure): SystemCallError {
  if (cause.errno === EINVAL) {
    return new TapMismatchError(
      `the network device ${name} exists and is no TAP as poplin makes them: it is of another kind, or was made ` +
        "without multi_queue, which cannot be changed",
      `if nobody needs it, delete it with \`ip link del ${name}\`, or choose another device name`,
      cause,
    );
  }
  return explainOther(name, cause);
}

function explainOther(name: string, cause: SystemCallFailure): SystemCallError {
  if (cause.syscall === "open(/dev/net/tun)") return explainDriver(cause);
  if (cause.errno === EPERM) {
    return new TapPermissionError(
      `the TAP ${name} may not be opened: the process lacks CAP_NET_ADMIN in this network namespace`,
      "run as root, or grant it (systemd: AmbientCapabilities=CAP_NET_ADMIN; containers: --cap-add NET_ADMIN)",
      cause,
    );
  }
  if (cause.errno === EBUSY || cause.errno === E2BIG) {
    return new TapBusyError(
      `the TAP ${name} has no queue left for us`,
      "stop whoever holds its queues",
      cause,
    );
  }
  return new SystemCallError(`the TAP ${name} could not be opened`, "", cause);
}

/** A TAP that other processes hold queues of. The kernel would let us in; we do not want that. */
export function sharedTap(name: string, holders: readonly ProcessName[]): TapBusyError {
  const who = holders.map(({ pid, command }) => `${command} (pid ${pid})`).join(", ");
  return new TapBusyError(
    `the TAP ${name} is in use by ${who}, and each owner of a queue would get only a part of the frames`,
    "stop that process, or choose another device name",
    { code: "EBUSY", errno: EBUSY, syscall: "ioctl(TUNSETIFF)" },
  );
}

/** /dev/net/tun itself could not be opened. */
function explainDriver(cause: SystemCallFailure): SystemCallError {
  switch (cause.errno) {
    case ENOENT:
      return new TunMissingError(
        "/dev/net/tun does not exist, and without it no TAP can be made",
        "load the driver with `modprobe tun`; in a container, pass the device in (docker: --device /dev/net/tun; " +
          "Kubernetes: a hostPath volume of type CharDevice)",
        cause,
      );
    case ENODEV:
    case ENXIO:
      return new TunMissingError(
        "/dev/net/tun exists, but no driver answers behind it",
        "load the driver with `modprobe tun`, or use a kernel built with CONFIG_TUN",
        cause,
      );
    case EACCES:
    case EPERM:
      return new TapPermissionError(
        "/dev/net/tun may not be opened by this process",
        "run as root, or allow the device (its file mode, or the container's device rules)",
        cause,
      );
    default:
      return new SystemCallError("/dev/net/tun could not be opened", "", cause);
  }
}
