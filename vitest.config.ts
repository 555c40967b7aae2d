import { defineConfig } from "vitest/config";

const full = process.env.POPLIN_FULL === "1";

/** Tests that take long end in `.full.test.ts`; `npm run test:full` runs them too. */
const LONG = "test/**/*.full.test.ts";

/** Tests in namespaces that take times, fill queues, or count what the machine has: they have it to themselves. */
const ALONE = [
  "test/netns/stress/**/*.test.ts",
  "test/netns/hand-over/**/*.test.ts",
  "test/netns/{flood,footprint,killed-under-load,lab,lifecycle,many-leases,many-vnis,monitor,mutants,offloads,overflow,path-mtu,peer-ping,queues,stress,underlay}{,.full}.test.ts",
  "test/netns/flannel/{many-leases,host-rows}{,.full}.test.ts",
];

export default defineConfig({
  test: {
    // Two processes: the machines this runs on have two cores, and a third would only make the others late.
    pool: "forks",
    maxWorkers: 2,
    execArgv: ["--expose-gc"],
    reporters: ["default"],
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          include: ["test/**/*.test.ts"],
          exclude: ["test/netns/**", ...(full ? [] : [LONG])],
          testTimeout: 30_000,
          hookTimeout: 30_000,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: "netns",
          include: ["test/netns/**/*.test.ts"],
          exclude: [...ALONE, ...(full ? [] : [LONG])],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          name: "alone",
          include: ALONE,
          exclude: full ? [] : [LONG],
          maxWorkers: 1,
          testTimeout: 120_000,
          hookTimeout: 120_000,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
