/**
 * The process in which `poplin capture` really captures: `capture.ts` starts it and says why there are two. Its one
 * argument is a `SessionOptions` as JSON.
 */
import { Session, type SessionOptions } from "./capture-session.ts";
import { exitCodeOf, explainOn } from "./errors.ts";

const session = new Session(JSON.parse(process.argv[2]!) as SessionOptions);
const stop = (): void => session.stop();
// Listened to until the end: `timeout`, for one, sends its signal twice, and Ctrl-C comes here and to our parent.
process.on("SIGINT", stop).on("SIGTERM", stop);
// A parent that was killed leaves nobody who wants this.
process.on("disconnect", stop);
try {
  await session.run();
} catch (error) {
  process.stderr.write(`${explainOn(process.stderr, error).join("\n")}\n`);
  process.exitCode = exitCodeOf(error);
}
if (process.connected) process.disconnect();
