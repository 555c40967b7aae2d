/**
 * TCP by iperf3, which sends and receives as much as goes. Throughput is what the receiver got. CPU is counted from
 * before iperf3's start to after its end and divided by all bits that it got; memory is looked at in the middle.
 */
import { iperf } from "../../dist/lab/iperf.js";
import { cpuTime, residentMemory, since } from "../measure/cpu.mjs";

export const METRICS = [
  ...["gbps", "cpuPerGbit", "agentCpuPerGbit", "agentACpuPerGbit", "agentBCpuPerGbit", "iperfCpuPerGbit"],
  ...["rss", "retransmits"],
];

/** Seconds beside the transfer itself: both ends start, connect and report. */
const AROUND = 0.5;

export const tests = [
  tcp("tcp1", "TCP, 1 stream", ["-P", "1"], { shared: true, quick: true }),
  tcp("tcp1r", "TCP, 1 stream, reverse", ["-P", "1", "-R"], { shared: true, quick: true }),
  tcp("tcp4", "TCP, 4 streams", ["-P", "4"], { shared: true, quick: true }),
  tcp("tcp4r", "TCP, 4 streams, reverse", ["-P", "4", "-R"]),
  tcp("tcp16", "TCP, 16 streams", ["-P", "16"], { quick: true }),
  tcp("tcp16r", "TCP, 16 streams, reverse", ["-P", "16", "-R"]),
  tcp("tcp64", "TCP, 64 streams", ["-P", "64"]),
  tcp("tcp6", "TCP, 1 stream, IPv6 inside", ["-P", "1"], { family: 6, quick: true }),
  tcp("rows-tcp", "TCP, 1 stream, 1,000 peers in the tables", ["-P", "1"], { rows: true, quick: true }),
];

function tcp(name, title, args, { family = 4, ...more } = {}) {
  return {
    ...{ name, title, family, metrics: METRICS, ...more },
    cost: (seconds) => seconds + AROUND,
    run: (bed, { seconds }) => stream(bed, { seconds, args, family }),
  };
}

/** One run of iperf3. @returns figures */
export async function stream(bed, { seconds, args = [], family = 4 }) {
  const { agents } = bed;
  let rss = 0;
  const look = setTimeout(() => {
    rss = Math.max(residentMemory(agents.a), residentMemory(agents.b));
  }, seconds * 600);
  const before = cpuTime(agents);
  const words = ["--time", String(seconds), ...args];
  const timeout = seconds * 1000 + 30_000;
  const test = iperf(bed.a, bed.b, bed.target(family), words, timeout);
  const { end } = await test.finally(() => clearTimeout(look));
  const cpu = since(before, agents);
  const gbit = (end.sum_received.bytes * 8) / 1e9;
  if (gbit === 0) throw new Error("iperf3: nothing was received");
  return {
    gbps: end.sum_received.bits_per_second / 1e9,
    cpuPerGbit: cpu.machine / gbit,
    iperfCpuPerGbit: iperfSeconds(end) / gbit,
    ...(bed.pids.length > 0 && {
      ...{ agentCpuPerGbit: (cpu.a + cpu.b) / gbit, rss },
      ...{ agentACpuPerGbit: cpu.a / gbit, agentBCpuPerGbit: cpu.b / gbit },
    }),
    retransmits: end.sum_sent.retransmits ?? 0,
  };
}

/** CPU-seconds of both ends of iperf3, which it counts itself. */
function iperfSeconds({ cpu_utilization_percent: { host_total, remote_total }, sum_sent: { seconds } }) {
  return ((host_total + remote_total) / 100) * seconds;
}
