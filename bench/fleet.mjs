/**
 * The beds of a run: one for each configuration, and one with 1,000 more peers for those that a test wants so. They
 * are all in one lab, which takes them down in every outcome, Ctrl-C too.
 */
import { Lab } from "../dist/lab/lab.js";
import { Bed } from "./beds/bed.mjs";

const ROWS = 1000;
const ATTEMPTS = 2;

export class Fleet {
  #lab = Lab.create();
  #beds = new Map();
  #progress;
  /** Configurations that did not come up: `{ config, why }`. */
  skipped = [];

  constructor(progress) {
    this.#progress = progress;
  }

  /** @returns `{ config, bed }` for those configurations that run */
  async entries(configs, test) {
    const entries = [];
    for (const config of configs) {
      const bed = await this.#bed(config, test.rows);
      if (bed !== null) entries.push({ config, bed });
    }
    return entries;
  }

  /** @returns null for what cannot run; it is said once */
  async #bed(config, rows) {
    const key = rows ? `${config.name}-rows` : config.name;
    if (!this.#beds.has(key)) this.#beds.set(key, await this.#start(config, key, rows));
    return this.#beds.get(key);
  }

  async #start(config, key, rows) {
    const missing = config.missing?.();
    if (missing !== undefined) return this.#skip(config, missing);
    this.#progress.begin(`starting ${key}`);
    const { start } = await import(`./beds/${config.module}.mjs`);
    const spec = { ...config.spec, ...(rows && { rows: ROWS }) };
    const name = key.replace(/[^\w-]/g, "-");
    for (let attempt = 1; ; attempt++) {
      const bed = new Bed(this.#lab, attempt === 1 ? name : `${name}-${attempt}`);
      try {
        await bed.start(start, spec);
        return bed;
      } catch (error) {
        for (const host of [bed.a, bed.b]) kill(host.pids());
        // Others' programs have races of their own when they start on a busy machine.
        if (config.kind !== "peer" || attempt === ATTEMPTS) return this.#skip(config, error.message);
      }
    }
  }

  #skip(config, why) {
    this.skipped.push({ config: config.name, why });
    this.#progress.say(`skipped: ${config.title}: ${why}`);
    return null;
  }

  /** What each configuration is, asked while it still runs. */
  async describe(configs) {
    return Promise.all(
      configs.map(async ({ name, title, kind, mtu }) => {
        const skipped = this.skipped.find(({ config }) => config === name)?.why;
        const about = await this.#beds.get(name)?.about();
        return { name, title, kind, mtu, ...(skipped ? { skipped } : { about: about ?? {} }) };
      }),
    );
  }

  /** Ends the beds with 1,000 peers: whoever holds so many looks after them every half minute. */
  endRows() {
    for (const [key, bed] of this.#beds) if (bed && key.endsWith("-rows")) kill(bed.pids);
  }

  end() {
    this.#lab.destroy();
  }
}

function kill(pids) {
  for (const pid of pids) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // it has just ended
    }
  }
}
