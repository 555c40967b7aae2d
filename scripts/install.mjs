/**
 * npm's `install` script: builds the native shim of a package that was just installed. In a clone it does nothing: that
 * is set-up's work, which runs `npm ci` and with it this. It never fails an installation, for what needs no TAP works
 * without the shim, and it installs nothing: who has no compiler learns from the first command that needs the shim how
 * to build it.
 */
import { withLock } from "./setup/lock.mjs";
import { INSTALLED, SetupError, say } from "./setup/run.mjs";
import { shimStep } from "./setup/shim.mjs";

if (INSTALLED && shimStep.due()) {
  try {
    await withLock(() => shimStep.run());
  } catch (error) {
    say(error instanceof SetupError ? error.message : String(error));
  }
}
