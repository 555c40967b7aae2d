import { defineConfig } from "vitest/config";

const full = process.env.POPLIN_FULL === "1";

/** Tests that take long end in `.full.test.ts`; `npm run test:full` runs them too. */
const LONG = "test/**/*.full.test.ts";

/** Tests in namespaces that wait more than they work, and measure nothing: two at a time. */
const TOGETHER = [
  "test/netns/flannel/**/*.test.ts",
  "test/netns/{blackhole,direct-routing,dual-stack,firewall,firewall-traffic,forwarding,host,monitor,netlink,public-ip}.test.ts",
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
          exclude: [...TOGETHER, ...(full ? [] : [LONG])],
          // One after the other: each has agents and traffic of its own, and they should have the machine.
          maxWorkers: 1,
          testTimeout: 120_000,
          hookTimeout: 120_000,
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          name: "hosts",
          include: TOGETHER,
          exclude: full ? [] : [LONG],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
