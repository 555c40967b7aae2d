/** Between two pods: ping and iperf3. What goes wrong comes back as words, as the demo goes on. */
import type { Host } from "../host.ts";
import { iperf } from "../iperf.ts";
import { ping } from "../ping.ts";
import type { Measured } from "./stage.ts";

/** Mean round trip in milliseconds. Every echo must come back. */
export async function roundTrip(from: Host, address: string, count = 3): Promise<Measured> {
  const { answered, mean, complaint } = await ping(from, address, { count, interval: 0.1 });
  if (answered === count && mean !== null) return { ok: true, value: mean };
  return { ok: false, problem: complaint || `${answered} of ${count} came back` };
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
