/** Between two pods: ping and iperf3. What goes wrong comes back as words, as the demo goes on. */
import type { Host } from "../host.ts";
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
  const server = to.spawn("iperf3", ["-s", "-1", "--forceflush"], { env: untranslated() });
  try {
    if (!(await says(server.stdout!, /listening/i))) return { ok: false, problem: "iperf3 does not start" };
    const args = ["-c", address, "-t", String(seconds), "--connect-timeout", "3000", "-J"];
    const timeout = (seconds + 20) * 1000;
    const { stdout } = await from.exec("iperf3", args, { check: false, timeout });
    return throughput(stdout);
  } finally {
    server.kill("SIGKILL");
  }
}

function throughput(json: string): Measured {
  try {
    const report = JSON.parse(json);
    const bits = report.end?.sum_received?.bits_per_second;
    if (typeof bits === "number" && bits > 0) return { ok: true, value: bits / 1e9 };
    return { ok: false, problem: String(report.error ?? "nothing arrived") };
  } catch {
    return { ok: false, problem: "iperf3 gave no report" };
  }
}

/** Resolves with whether `stream` said such a thing before it ended. */
export function says(stream: NodeJS.ReadableStream, what: RegExp): Promise<boolean> {
  return new Promise((resolve) => {
    let text = "";
    stream.on("data", (chunk: Buffer) => {
      text += chunk;
      if (what.test(text)) resolve(true);
    });
    stream.on("end", () => resolve(false));
    stream.on("error", () => resolve(false));
  });
}

function untranslated(): NodeJS.ProcessEnv {
  return { ...process.env, LC_ALL: "C" };
}
