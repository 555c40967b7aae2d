/**
 * One ping of a lab's, followed through every interface that it passes from one pod to another:
 *
 *   pod-a eth0 → node-a veth2, cni0 → flannel.1 (TAP) → poplin → eth0 → node-b eth0 → poplin → flannel.1 → cni0, veth2 → pod-b eth0
 *
 * What passes is what tcpdump sees there, with the kernel's times. Why it goes on is asked of the tables that decide.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { CapturedPacket } from "../../io/capture-reader.ts";
import { explain } from "../../teach/explanation.ts";
import type { Hop } from "../../teach/walk.ts";
import { hex } from "../../wire/index.ts";
import { LabError } from "../errors.ts";
import type { Host } from "../host.ts";
import { DEVICE, VXLAN_PORT } from "../node.ts";
import { ping as pingOnce } from "../ping.ts";
import { podAddress } from "../plan.ts";
import { Sniffer } from "./sniffer.ts";
import { rowsOf, type Walker } from "./walker.ts";

/** "poplin", again and again: what the ping carries, by which it is known. */
const PATTERN = "706f706c696e";
/** Milliseconds that tcpdump gets to write down what has passed, and between two looks. */
const PATIENCE = 3000;
const POLL = 10;
const ICMP = "icmp";
const TUNNEL = `udp port ${VXLAN_PORT}`;

interface Place {
  readonly host: Host;
  readonly device: string;
  readonly direction: "in" | "out";
  readonly filter: string;
  readonly what: string;
  readonly because: () => Promise<string[]>;
}

/**
 * Sends a ping of `size` bytes of data, after one that has found all neighbours.
 * @throws LabError where it does not arrive
 */
export async function recordWalk(from: Walker, to: Walker, size = 56): Promise<Hop[]> {
  const target = podAddress(to.plan, 2).v4;
  await ping(from.pod, target, size);
  const places = placesOf(from, to, target);
  const sniffers = await Promise.all(
    places.map(({ host, device, direction, filter }) => Sniffer.start(host, device, direction, filter)),
  );
  try {
    await ping(from.pod, target, size);
    // What has arrived is written down a moment later.
    const end = performance.now() + PATIENCE;
    while (!sniffers.every(request) && performance.now() < end) await sleep(POLL);
    return await hopsOf(places, sniffers);
  } finally {
    await Promise.all(sniffers.map((sniffer) => sniffer.stop()));
  }
}

/** The ping that has passed; not the answer, which carries the same. */
function request(sniffer: Sniffer): CapturedPacket | undefined {
  return sniffer.packets().find(({ bytes }) => hex(bytes).includes(PATTERN) && isRequest(bytes));
}

async function ping(from: Host, target: string, size: number): Promise<void> {
  const pinged = await pingOnce(from, target, { count: 1, args: ["-s", String(size), "-p", PATTERN] });
  if (pinged.answered === 1) return;
  throw new LabError(
    "LAB_COMMAND",
    `${from.name}: no answer from ${target}${pinged.complaint && `: ${pinged.complaint}`}`,
  );
}

/** The interfaces in the order of the way there. */
function placesOf(from: Walker, to: Walker, target: string): Place[] {
  const source = podAddress(from.plan, 2).v4;
  const [a, b] = [from.host, to.host];
  const via = to.plan.overlay;
  const row = () => rowsOf(from, to.plan.vtepMac);
  const nothing = async (): Promise<string[]> => [];
  return [
    {
      ...{
        host: from.pod,
        device: "eth0",
        direction: "out",
        filter: ICMP,
        what: "the pod sends it to its gateway",
      },
      because: () => asked(from.pod, `route get ${target}`, `neigh show ${from.plan.gateway}`),
    },
    {
      ...{ host: a, device: "veth2", direction: "in", filter: ICMP, what: "it comes out of the cable" },
      because: nothing,
    },
    {
      ...{
        host: a,
        device: "cni0",
        direction: "in",
        filter: ICMP,
        what: "the bridge hands it to the node, which routes it",
      },
      because: () =>
        asked(a, `route get ${target} from ${source} iif cni0`, `neigh show ${via} dev ${DEVICE}`),
    },
    {
      ...{
        host: a,
        device: DEVICE,
        direction: "out",
        filter: ICMP,
        what: `the overlay's device: from here ${from.kind} has it`,
      },
      because: row,
    },
    {
      ...{ host: a, device: "eth0", direction: "out", filter: TUNNEL, what: "encapsulated, on the underlay" },
      because: () => asked(a, `route get ${to.address}`, `neigh show ${to.address}`),
    },
    {
      ...{ host: b, device: "eth0", direction: "in", filter: TUNNEL, what: "it arrives at the other node" },
      because: async () => [
        `UDP port ${VXLAN_PORT} is ${to.kind}'s`,
        ...(await rowsOf(to, from.plan.vtepMac)),
      ],
    },
    {
      ...{
        host: b,
        device: DEVICE,
        direction: "in",
        filter: ICMP,
        what: "decapsulated: the frame as it went in",
      },
      because: () =>
        asked(b, `route get ${target} from ${source} iif ${DEVICE}`, `neigh show ${target} dev cni0`),
    },
    {
      ...{ host: b, device: "cni0", direction: "out", filter: ICMP, what: "routed onto the bridge" },
      because: () => bridged(b),
    },
    {
      ...{ host: b, device: "veth2", direction: "out", filter: ICMP, what: "into the pod's cable" },
      because: nothing,
    },
    {
      ...{ host: to.pod, device: "eth0", direction: "in", filter: ICMP, what: "the pod has it" },
      because: nothing,
    },
  ];
}

/** What `ip` says to each question, in a line. */
async function asked(host: Host, ...questions: readonly string[]): Promise<string[]> {
  const lines = await Promise.all(
    questions.map(async (question) => {
      const { stdout } = await host.exec("ip", question.split(" "), { check: false });
      const said = stdout.split("\n")[0]!.trim().replace(/\s+/g, " ");
      return said === "" ? [] : [`${question.split(" ")[0] === "route" ? "route" : "neighbour"} ${said}`];
    }),
  );
  return lines.flat();
}

async function bridged(host: Host): Promise<string[]> {
  const { stdout } = await host.exec("bridge", ["fdb", "show", "br", "cni0", "dev", "veth2"], {
    check: false,
  });
  const learned = stdout.split("\n").find((line) => line !== "" && !/permanent|33:33|01:00/.test(line));
  return learned === undefined ? [] : [`bridge FDB ${learned.trim()}`];
}

async function hopsOf(places: readonly Place[], sniffers: readonly Sniffer[]): Promise<Hop[]> {
  const found = sniffers.map((sniffer) => {
    const packet = request(sniffer);
    if (packet !== undefined) return packet;
    const { host, device } = sniffer;
    throw new LabError("LAB_COMMAND", `${host.name}: the ping was not seen at ${device}`, "try it again");
  });
  const first = found[0]!.time;
  return Promise.all(
    places.map(async ({ host, device, direction, what, because }, i): Promise<Hop> => {
      const { bytes, time } = found[i]!;
      const mtu = Number((await host.exec("cat", [`/sys/class/net/${device}/mtu`])).stdout);
      return {
        host: host.name,
        device,
        direction,
        what,
        mtu,
        bytes: bytes.slice(),
        time: Number(time - first),
        because: await because(),
      };
    }),
  );
}

function isRequest(bytes: Uint8Array): boolean {
  return explain(bytes).parts.some(
    ({ name, fields }) =>
      name === "icmp-echo" && fields.some((field) => field.name === "type" && field.value === 8),
  );
}
