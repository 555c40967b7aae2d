/** Settings of the agent as a process. */
import { DEFAULT_SOCKET } from "../../api/schema.ts";
import { socketPath } from "../addresses.ts";
import type { Rows } from "../settings.ts";
import { oneOf, yesOrNo } from "../values.ts";

export const PROCESS_ROWS: Rows<"socket" | "ephemeral" | "logLevel"> = {
  socket: {
    read: socketPath,
    fallback: DEFAULT_SOCKET,
    example: DEFAULT_SOCKET,
    placeholder: "PATH",
    description: "Unix socket of the API that `poplin status` and the other commands ask.",
    reload: "restart",
  },
  ephemeral: {
    read: yesOrNo,
    fallback: false,
    example: "false",
    placeholder: null,
    description: "Remove the device, and with it its addresses and rows, when the agent ends.",
    reload: "live",
  },
  logLevel: {
    read: oneOf(["error", "warn", "info", "debug"]),
    fallback: "info",
    example: "info",
    placeholder: "LEVEL",
    description: "How much is written to standard error.",
    reload: "live",
  },
};
