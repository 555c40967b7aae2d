/** Where an agent that takes over finds this one: a socket beside the API's, which comes and goes with it. */
import { loadShim } from "../../io/linux/shim.ts";
import { removeSocket } from "../api/socket-file.ts";
import { Giver, type GiverParts } from "./give.ts";
import { takeOverPath } from "./protocol.ts";

/** Conversations that may wait to be begun. */
const BACKLOG = 8;

export interface OpenGiver {
  /** Removes the socket. Safe to call twice, and after `leave`. */
  close(): void;
  /** As `close`, but the socket stays where it is: another process listens to it. */
  leave(): void;
}

/**
 * Listens from now on.
 * @param socket the API's, which is ours: so whatever has the name beside it is left over from a dead agent
 * @param listener a descriptor that listens there already; it becomes the giver's
 * @throws Error where there can be no such socket
 */
export function openGiver(
  socket: string,
  listener: number | null,
  parts: Omit<GiverParts, "listener">,
): OpenGiver {
  const path = takeOverPath(socket);
  if (listener === null) removeSocket(path);
  const fd = listener ?? loadShim().unixListen(path, true, BACKLOG);
  const giver = new Giver({ ...parts, listener: fd });
  let open = true;
  const leave = (): void => {
    if (!open) return;
    open = false;
    giver.close();
    loadShim().close(fd);
  };
  return {
    leave,
    close: () => {
      if (open) removeSocket(path);
      leave();
    },
  };
}
