/** What the study says of packets: where tcpdump sees which, and what the connection table says. */
import { writeFileSync } from "node:fs";
import { expect } from "vitest";
import { outputOf } from "../../../src/host/output.ts";
import type { StudyLab } from "../../../src/lab/study/study-lab.ts";
import { tshark } from "../../helpers/tshark.ts";
import { sleep, until } from "../agents.ts";
import type { Case } from "./compare.ts";
import { shellOn } from "./shell.ts";

const [POD_1, POD_2, WORLD] = ["10.244.1.2", "10.244.2.5", "8.8.8.8"];
const [WORKER, WORKER_2] = ["172.19.0.2", "172.19.0.3"];
/** Requests to each. */
const COUNT = 3;
/** Milliseconds after which tcpdump has read what is there: it wakes up once a second. */
const READ = 1500;

async function pings(study: StudyLab, ...addresses: string[]): Promise<void> {
  for (const address of addresses)
    await study.pod("pod-1").exec("ping", ["-c", String(COUNT), "-i", "0.2", address]);
}

/**
 * Runs a capture of the study's on worker, as it is typed, while pod-1 pings: the world, pod-2, the world. What comes last
 * shows that what came before would have been seen.
 */
async function captured(study: StudyLab, command: string): Promise<string> {
  const { machine } = study.node("worker");
  // Line by line, as tcpdump writes to a terminal.
  const child = machine.spawn("bash", ["-c", `echo $$; exec stdbuf -oL ${command}`]);
  const output = outputOf(child);
  const end = new Promise((resolve) => child.once("close", resolve));
  await until("a capture", () => output.stderr.includes("listening on"));
  await pings(study, WORLD!, POD_2!, WORLD!);
  await sleep(READ);
  await machine.exec("kill", ["-INT", output.stdout.split("\n")[0]!]);
  await end;
  return output.stdout;
}

interface Seen {
  readonly from: string;
  readonly to: string;
  readonly what: string;
}

function icmpIn(output: string): Seen[] {
  return [...output.matchAll(/IP (\S+) > (\S+): ICMP echo (request|reply)/g)].map(([, from, to, what]) => ({
    from: from!,
    to: to!,
    what: what!,
  }));
}

/** A request and its answer. */
function echo(from: string, to: string): Seen[] {
  return [
    { from, to, what: "request" },
    { from: to, to: from, what: "reply" },
  ];
}

/** Exactly these packets, each at least once. A machine that is late may have lost the last: then once more. */
function sees(command: string, expected: readonly Seen[]): Case {
  return {
    async check(_, study) {
      const words = ({ from, to, what }: Seen): string => `${from} > ${to} ${what}`;
      let seen: string[] = [];
      for (let attempt = 0; attempt < 3; attempt++) {
        seen = [...new Set(icmpIn(await captured(study, command)).map(words))].sort();
        if (seen.length >= expected.length) break;
      }
      expect(seen).toEqual(expected.map(words).sort());
      return null;
    },
  };
}

const wire: Case = {
  async check(_, study) {
    const FIELDS = ["ip.src", "ip.dst", "udp.dstport", "udp.length", "vxlan.vni", "icmp.type"];
    const file = study.lab.file("vxlan.pcap");
    const expected = [
      [`${WORKER} ${POD_1}`, `${WORKER_2} ${POD_2}`, "8472", "114", "1", "8"],
      [`${WORKER_2} ${POD_2}`, `${WORKER} ${POD_1}`, "8472", "114", "1", "0"],
    ];
    let rows: string[][] = [];
    for (let attempt = 0; attempt < 3 && rows.length < expected.length * COUNT; attempt++) {
      await captured(study, "tcpdump -i eth0 -nn udp port 8472 -w /root/vxlan.pcap");
      const { stdout } = await shellOn(study, "worker", "base64 /root/vxlan.pcap");
      writeFileSync(file, Buffer.from(stdout, "base64"));
      rows = tshark(file, FIELDS).map((row) => FIELDS.map((field) => row[field]!.join(" ")));
    }
    // A datagram of 106 bytes per packet, as the study counts it, and 8 of UDP's header; nothing of the pings outside.
    expect(rows).toHaveLength(expected.length * COUNT);
    expect(rows).toEqual(Array.from({ length: COUNT }, () => expected).flat());
    return null;
  },
};

const connections: Case = {
  first: (study) => pings(study, POD_2!, WORLD!),
  check(output) {
    const tuples = output
      .split("\n")
      .map((line) => [...line.matchAll(/(?:src|dst)=(\S+)/g)].map(([, ip]) => ip));
    // Original direction and answer: to pod-2 as it is, to the world in the node's name.
    expect(tuples).toContainEqual([POD_1, POD_2, POD_2, POD_1]);
    expect(tuples).toContainEqual([POD_1, WORLD, WORLD, WORKER]);
    return null;
  },
};

export const TRAFFIC_CASES: Readonly<Record<number, Case>> = {
  1088: sees("tcpdump -i cni0 -nn icmp", [...echo(POD_1!, POD_2!), ...echo(POD_1!, WORLD!)]),
  1089: sees("tcpdump -i flannel.1 -nn icmp", echo(POD_1!, POD_2!)),
  1090: sees("tcpdump -i eth0 -nn icmp", echo(WORKER!, WORLD!)),
  1091: wire,
  1094: connections,
};
