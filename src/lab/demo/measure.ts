/** Between two pods: ping and iperf3. What goes wrong comes back as words, as the demo goes on. */
import type { Host } from "../host.ts";
import { iperf } from "../iperf.ts";
import type { Measured } from "./stage.ts";

const PINGS = 3;

/** Mean round trip in milliseconds. Every echo must come back. */
export async function ping(from: Host, address: string, count = PINGS): Promise<Measured> {
  const args = ["-c", String(count), "-i", "0.1", "-W", "2", address];
  const { status, stdout, stderr } = await from.exec("ping", args, { check: false, env: untranslated() });
  const received = Number(/(\d+) received/.exec(stdout)?.[1] ?? 0);
  const mean = /= [\d.]+\/([\d.]+)\//.exec(stdout)?.[1];
  if (status === 0 && received === count && mean !== undefined) return { ok: true, value: Number(mean) };
  const complaint = stderr.trim() || /^From .*$/m.exec(stdout)?.[0];
  return { ok: false, problem: complaint ?? `${received} of ${count} came back` };
}

/** TCP throughput in Gbit/s, measured where it arrives. Needs iperf3. */
export async function transfer(from: Host, to: Host, address: string, seconds: number): Promise<Measured> {
  try {
    const { end } = await iperf(from, to, address, ["-t", String(seconds)], (seconds + 20) * 1000);
    const bits = end.sum_received.bits_per_second;
    return bits > 0 ? { ok: true, value: bits / 1e9 } : { ok: false, problem: "nothing arrived" };
  } catch (error) {
    return { ok: false, problem: (error as Error).message };
  }
}

function untranslated(): NodeJS.ProcessEnv {
  return { ...process.env, LC_ALL: "C" };
}
