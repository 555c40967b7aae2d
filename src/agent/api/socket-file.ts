/**
 * The socket as a file: whose it is, whether its agent still lives, and that nobody but its owner may open it.
 *
 *   claimSocket: directory made → nothing there, or a socket nobody answers on (removed) → free to bind
 *
 * A socket outlives a killed agent, so a file alone says nothing: only a connection attempt does.
 */
import { rmSync } from "node:fs";
import { lstat, mkdir, unlink } from "node:fs/promises";
import { connect } from "node:net";
import { dirname } from "node:path";
import { ApiClient } from "./client.ts";

/** sun_path holds 108 bytes with its final zero (unix(7)); libuv cuts a longer path off without a word. */
const MAX_PATH = 107;

export type SocketErrorCode = "AGENT_RUNNING" | "SOCKET_PATH" | "SOCKET_PERMISSION";

/** The API socket cannot be ours. */
export class SocketError extends Error {
  readonly code: SocketErrorCode;
  readonly remedy: string;

  constructor(code: SocketErrorCode, message: string, remedy: string, cause?: unknown) {
    super(message, { cause });
    this.name = "SocketError";
    this.code = code;
    this.remedy = remedy;
  }
}

/**
 * Makes `path` free to bind: its directory exists, and a socket that a dead agent left is gone.
 * @throws SocketError when a live process listens there, or something that is no socket has the name
 */
export async function claimSocket(path: string): Promise<void> {
  if (Buffer.byteLength(path) > MAX_PATH) {
    throw new SocketError(
      "SOCKET_PATH",
      `the socket path is ${Buffer.byteLength(path)} bytes long and the kernel takes ${MAX_PATH}: ${path}`,
      "give a shorter one with --socket",
    );
  }
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o755 });
    const before = await lstat(path).catch(absent);
    if (before === null) return;
    if (!before.isSocket()) {
      throw new SocketError(
        "SOCKET_PATH",
        `${path} exists and is no socket`,
        "move it away, or give another path with --socket",
      );
    }
    if (await isAlive(path)) throw await running(path);
    // Another agent that starts in the same moment may have replaced the dead one's file by now: leave its own.
    const now = await lstat(path).catch(absent);
    if (now !== null && now.ino === before.ino && now.ctimeMs === before.ctimeMs) await unlink(path);
  } catch (error) {
    throw forPeople(error, path);
  }
}

/**
 * Removes a socket's file, if it is there. Where that cannot be done (a file system that is read-only by now) it stays: who
 * listens there next hears why he cannot, and an end is no time to fail.
 */
export function removeSocket(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // It stays.
  }
}

/** Turns what the system said about `path` into a sentence; an error that has one already passes unchanged. */
export function forPeople(error: unknown, path: string): unknown {
  switch ((error as NodeJS.ErrnoException).code) {
    case "EADDRINUSE":
      return new SocketError(
        "AGENT_RUNNING",
        `another agent took ${path} in this moment`,
        "`poplin status` shows it; give this one another path with --socket",
        error,
      );
    case "EACCES":
    case "EPERM":
    case "EROFS":
      return new SocketError(
        "SOCKET_PERMISSION",
        `cannot make the API socket ${path}: ${(error as Error).message}`,
        "run the agent as root, or give a path in a directory of yours with --socket",
        error,
      );
    case "ENOTDIR":
    case "EEXIST":
      return new SocketError(
        "SOCKET_PATH",
        `cannot make the API socket ${path}: a part of ${dirname(path)} is no directory`,
        "give another path with --socket",
        error,
      );
    default:
      return error;
  }
}

/** Whether anything accepts a connection. A full backlog (EAGAIN) is a live process too. */
function isAlive(path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "ECONNREFUSED" || error.code === "ENOENT") resolve(false);
      else if (error.code === "EAGAIN") resolve(true);
      else reject(error);
    });
  });
}

async function running(path: string): Promise<SocketError> {
  const pid = await new ApiClient(path, 1000).status().then(
    (status) => `pid ${status.pid}`,
    () => "a process that does not answer",
  );
  return new SocketError(
    "AGENT_RUNNING",
    `an agent is already running: ${pid} listens on ${path}`,
    "`poplin status` shows it; stop it first, or give this one another path with --socket",
  );
}

function absent(error: NodeJS.ErrnoException): null {
  if (error.code === "ENOENT") return null;
  throw error;
}
