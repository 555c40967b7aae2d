/** Trying something, and keeping what came of it. */
import type { Attempt } from "../evidence.ts";

export const WORKED: Attempt = { code: "", message: "", remedy: "" };

/** Runs `work` and tells how it ended. */
export async function attempt(work: () => unknown): Promise<Attempt> {
  try {
    await work();
    return WORKED;
  } catch (error) {
    return failureOf(error);
  }
}

/** What an error of the system's or of ours says. */
export function failureOf(error: unknown): Attempt {
  const { code, message, remedy } = error as { code?: unknown; message?: unknown; remedy?: unknown };
  const cure = typeof remedy === "string" ? remedy : "";
  return {
    code: typeof code === "string" ? code : "UNEXPECTED",
    // Some errors end their message with the remedy, for logs.
    message: cure === "" ? String(message) : String(message).replace(`; ${cure}`, ""),
    remedy: cure,
  };
}
