/**
 * Brings a clone to the point where the demo, the tests and the bench can run: OS packages, npm dependencies, the
 * native shim, the TypeScript build. It installs what is missing and only that, says what it installs, and is
 * silent and quick when there is nothing to do. It runs before anything is installed, so it uses nothing but
 * Node's own modules.
 *
 *   node scripts/setup.mjs [--for demo|test|bench|ci] [--only dependencies|shim|build]
 *
 * In an installed package, which has everything but the shim: node scripts/setup.mjs --only shim
 *
 * POPLIN_VERBOSE=1 shows the output of the tools it runs; otherwise only a failing tool is heard.
 */

const OLDEST = [20, 19];
const [major, minor] = process.versions.node.split(".").map(Number);
if (major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1])) {
  console.error(
    `set-up: poplin needs Node ${OLDEST.join(".")} or newer, this is ${process.versions.node}.\n` +
      "        Install a newer one (https://nodejs.org) and run the command again.",
  );
  process.exit(1);
}

// Imported only now, so that an old Node gets the sentence above and no syntax error.
const { main } = await import("./setup/main.mjs");
await main(process.argv.slice(2));
