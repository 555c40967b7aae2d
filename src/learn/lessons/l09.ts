/** L9: source-port entropy. */
import { FlowsStage, portsFor } from "../exercises/flows.ts";
import type { Exercise, Lesson, Seen } from "../lesson.ts";
import { FolderStage } from "../stages.ts";

/** Different source ports that are asked for. */
const WANTED = 4;

/** @param packets how many there were; null: nobody counts them */
function judge(ports: ReadonlySet<number>, packets: number | null): Seen {
  const some = [...ports].slice(0, 8).join(", ");
  if (ports.size >= WANTED) {
    const says = `Outer source ports: ${some}. To a router these are so many conversations, and it may spread them.`;
    return { done: true, says };
  }
  if (ports.size === 0) return { done: false, says: "There are no packets yet." };
  const who = packets === null ? "The packets have" : `${packets} packets have`;
  const what = ports.size === 1 ? "one outer source port" : "the outer source ports";
  const says = `${who} ${what}, ${some}. It is a hash of the inner addresses, the protocol and, of TCP and UDP, the inner ports: what has the same of these has the same port.`;
  return { done: false, says };
}

const FIRST = "tcp 10.244.1.2:40000 > 10.244.2.2:80";

const plain: Exercise = {
  stage: async (folder) => new FolderStage(folder),
  files: { "flows.txt": `# A packet a line. What outer source port does each get?\n${FIRST}\n` },
  todo: [
    `flows.txt has packets, one a line; poplin's own hash says what port each is sent from. Add packets until there are ${WANTED} different ports.`,
  ],
  check: async (stage) => {
    const ports = portsFor((stage as FolderStage).read("flows.txt"));
    return typeof ports === "string" ? { done: false, says: ports } : judge(new Set(ports), ports.length);
  },
  wrong: {
    typed: [{ where: "here", shell: `for i in 1 2 3 4; do echo '${FIRST}' >> flows.txt; done` }],
    says: /^5 packets have one outer source port, \d+\./,
  },
  solution: [
    {
      where: "here",
      shell: 'for p in 1 2 3 4 5 6 7 8; do echo "tcp 10.244.1.2:4000$p > 10.244.2.2:80" >> flows.txt; done',
    },
  ],
};

const real: Exercise<FlowsStage> = {
  stage: (folder) => FlowsStage.start(folder),
  files: {},
  todo: [
    `From pod-a, send pod-b something that leaves node-a by ${WANTED} different outer source ports. \`tcpdump -ni eth0 udp port 8472\` on node-a shows them, and so does this.`,
  ],
  check: async (stage) => judge(stage.ports, null),
  wrong: {
    typed: [{ where: "pod-a", shell: "for s in 8 56 500 1000; do ping -c 1 -W 1 -s $s 10.244.2.2; done" }],
    says: /^The packets have one outer source port, \d+\./,
  },
  solution: [
    {
      where: "pod-a",
      shell: "for p in $(seq 1 32); do echo hello > /dev/udp/10.244.2.2/$p; done",
    },
  ],
};

export const L09: Lesson = {
  number: 9,
  title: "source-port entropy: one flow or many",
  story: [
    "Between two nodes all packets of all pods have the same two addresses, the same protocol, the same destination port. Routers with several " +
      "ways, and cards with several queues, spread flows by a hash of just that: everything would go one way, into one queue. So the " +
      "sender puts a hash of the inner flow where nobody needs anything, into the outer source port (RFC 7348, section 5). Packets of one " +
      "flow stay together and in order.",
  ],
  bytes: () => ["10.244.1.2:40000 > 10.244.2.2:80 ── hash ──▶ outer source port 49152 to 65535"],
  plain,
  real,
  moral:
    "The outer source port means nothing to the receiver; to all in between it says which packets belong together.",
};
