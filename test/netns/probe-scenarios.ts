/** What `offloads.test.ts` runs inside a namespace: the probes, where things are as they should be and where not. */
import { execFileSync } from "node:child_process";
import { probeTapOffloads, probeUdpOffloads } from "../../src/io/linux/probe.ts";

const LOCALHOST = Uint8Array.of(127, 0, 0, 1);

function devices(): string[] {
  const stdout = execFileSync("ip", ["-json", "link"], { encoding: "utf8" });
  return (JSON.parse(stdout) as { ifname: string }[]).map(({ ifname }) => ifname);
}

async function gone(): Promise<string[]> {
  for (let i = 0; i < 100 && devices().length > 1; i++)
    await new Promise((resolve) => setTimeout(resolve, 20));
  return devices();
}

/** What is found, what it took at best of a few times, and what is left of it. */
export async function plain() {
  let best = Number.POSITIVE_INFINITY;
  let found = {};
  for (let i = 0; i < 5; i++) {
    const start = performance.now();
    found = { ...probeTapOffloads(), ...probeUdpOffloads(4, "127.0.0.1", LOCALHOST) };
    best = Math.min(best, performance.now() - start);
    await gone();
  }
  return { found, best, left: await gone() };
}

/** Loopback is down: whether UDP works cannot be known, and so nothing speaks against it. */
export function noLoopback() {
  execFileSync("ip", ["link", "set", "lo", "down"]);
  return probeUdpOffloads(4, "127.0.0.1", LOCALHOST);
}

/** There is no /dev/net/tun, and the address is nobody's. */
export function noDevice() {
  execFileSync("mount", ["-t", "tmpfs", "none", "/dev/net"]);
  return { ...probeTapOffloads(), ...probeUdpOffloads(4, "192.0.2.1", Uint8Array.of(192, 0, 2, 1)) };
}
