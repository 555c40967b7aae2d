/** The blackhole route of a node's own subnet, in a namespace's tables. */
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { afterEach, beforeEach, expect, it } from "vitest";
import { ensureBlackholes } from "../../src/host/blackhole.ts";
import { describeWith, namespaces } from "../helpers/needs.ts";
import { ipv6 } from "./pods.ts";

const netns = `poplin-${randomBytes(4).toString("hex")}-hole`;
const options = { netns };

function ip(...words: string[]): string {
  return execFileSync("ip", ["-n", netns, ...words], { encoding: "utf8", stdio: "pipe" });
}

const routes = () => ip("route", "show") + ip("-6", "route", "show", "type", "blackhole");

describeWith([namespaces(), ipv6()], "the blackhole route", () => {
  beforeEach(() => {
    execFileSync("ip", ["netns", "add", netns]);
    ip("link", "set", "lo", "up");
  });
  afterEach(() => {
    execFileSync("ip", ["netns", "del", netns]);
  });

  it("is set once for each subnet, and set again when somebody took it away", async () => {
    const subnets = ["10.244.1.0/24", "fd00:10:244:1::/64"];
    expect(await ensureBlackholes(subnets, [], options)).toEqual([
      "blackhole route to 10.244.1.0/24 set",
      "blackhole route to fd00:10:244:1::/64 set",
    ]);
    expect(await ensureBlackholes(subnets, [], options)).toEqual([]);
    ip("route", "del", "blackhole", "10.244.1.0/24");
    expect(await ensureBlackholes(subnets, [], options)).toHaveLength(1);
    expect(routes()).toMatch(/^blackhole 10\.244\.1\.0\/24 metric 65551/);
    expect(() => ip("route", "get", "10.244.1.9")).toThrow(/Invalid argument|Network is unreachable/);
  });

  it("gives way to a bridge of the same subnet, whichever came first", async () => {
    await ensureBlackholes(["10.244.1.0/24"], [], options);
    ip("link", "add", "cni0", "type", "bridge");
    ip("addr", "add", "10.244.1.1/24", "dev", "cni0");
    ip("link", "set", "cni0", "up");
    await ensureBlackholes(["10.244.1.0/24"], [], options);
    expect(ip("route", "get", "10.244.1.9")).toContain("dev cni0");
    ip("link", "del", "cni0");
    expect(routes()).toContain("blackhole 10.244.1.0/24");
  });

  it("goes with the subnet it was for; other nodes' and others' stay", async () => {
    await ensureBlackholes(["10.244.1.0/24"], [], options);
    await ensureBlackholes(["10.5.1.0/24"], [], options);
    ip("route", "add", "blackhole", "10.244.7.0/24");
    const done = await ensureBlackholes(["10.244.2.0/24"], ["10.244.1.0/24", "10.244.7.0/24"], options);
    expect(done).toEqual(["blackhole route to 10.244.1.0/24 gone", "blackhole route to 10.244.2.0/24 set"]);
    expect(routes().match(/blackhole \S+/g)).toEqual([
      "blackhole 10.5.1.0/24",
      "blackhole 10.244.2.0/24",
      "blackhole 10.244.7.0/24",
    ]);
    await ensureBlackholes([], ["10.244.2.0/24"], options);
    expect(routes()).not.toContain("10.244.2.0");
  });
});
