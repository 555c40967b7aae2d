/** Settings of the agent as a process. */
import { DEFAULT_SOCKET } from "../../api/schema.ts";
import { LEVELS, LOG_FORMATS } from "../../logging/formats.ts";
import { endpoint, socketPath } from "../addresses.ts";
import type { Rows } from "../settings.ts";
import { oneOf, wordOr, yesOrNo } from "../values.ts";

export const PROCESS_ROWS: Rows<"socket" | "ephemeral" | "logLevel" | "logFormat" | "healthAddress"> = {
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
    read: oneOf(LEVELS),
    fallback: "info",
    example: "info",
    placeholder: "LEVEL",
    description:
      "How much is written to standard error. `poplin log-level` changes it until the next reload.",
    reload: "live",
  },
  logFormat: {
    read: oneOf(LOG_FORMATS),
    fallback: "auto",
    example: "json",
    placeholder: "FORMAT",
    description:
      "How it is written. `pretty`: a line of text with time and level. `json`: a line of JSON. `auto`: text; for " +
      "systemd's journal with the level as it wants it, and without the time, which it keeps itself.",
    reload: "live",
  },
  healthAddress: {
    read: wordOr("off", endpoint),
    fallback: "off",
    example: "127.0.0.1:9472",
    placeholder: "ADDRESS:PORT",
    description:
      "Where /livez, /readyz, /healthz and /metrics are served over TCP, and nothing else: whoever reaches that address " +
      "can read them. An IPv6 address stands in brackets. The API's socket has them in any case.",
    reload: "restart",
  },
};
