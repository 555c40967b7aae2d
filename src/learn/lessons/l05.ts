/** L5: an MTU of 1500 inside 1500. */
import { type ConfigStage, configExercises, type Settings } from "../exercises/config.ts";
import { copies } from "../exercises/copy.ts";
import type { Lesson, Seen } from "../lesson.ts";

const UNDERLAY = 1500;
/** Inner Ethernet 14, VXLAN 8, UDP 8, IPv4 20. */
const AROUND = 50;
const BEST = UNDERLAY - AROUND;
/** What every network has to take (RFC 791). */
const LEAST = 576;
/** The IP and ICMP headers of a ping. */
const PING_HEADERS = 28;

const DONE: Seen = {
  done: true,
  says: `The copy arrives: ${BEST} + 14 + 8 + 8 + 20 = ${UNDERLAY}, and not a byte is given away.`,
};

function tooSmall(mtu: number): Seen {
  const says = `The copy arrives, but with ${BEST - mtu} bytes less in each packet than there is room for.`;
  return { done: false, says };
}

function tooBig(mtu: unknown, pings: string): Seen {
  const says = `${pings} An inner packet of ${mtu} is ${Number(mtu) + AROUND} outside, more than ${UNDERLAY}: it goes in two fragments, and those do not arrive.`;
  return { done: false, says };
}

async function look(stage: ConfigStage, { mtu }: Settings): Promise<Seen> {
  if (!(await stage.pings())) return { done: false, says: "Not even a small ping is answered." };
  const fits = Number(mtu) <= BEST;
  const pod = stage.lab.host("pod-a");
  if (!(await copies(pod, stage.lab.host("pod-b"), "10.244.2.2")))
    return tooBig(mtu, "A small ping is answered, a copy hangs.");
  if (fits && (await stage.pings("-M", "do", "-s", String(BEST - PING_HEADERS)))) return DONE;
  return tooSmall(Number(mtu));
}

/** Pods whose cards have the MTU that cards have, and a network that drops fragments, as many a cloud's does. */
async function prepare({ lab }: ConfigStage): Promise<void> {
  for (const name of ["a", "b"]) {
    lab.host(`pod-${name}`).ip(`link set eth0 mtu ${UNDERLAY}`);
    lab.host(`node-${name}`).ip(`link set veth2 mtu ${UNDERLAY}`, `link set cni0 mtu ${UNDERLAY}`);
  }
  const rules = [
    "add table ip learn",
    "add chain ip learn in { type filter hook prerouting priority -500 ; }",
    "add rule ip learn in ip frag-off & 0x3fff != 0 drop",
  ];
  for (const name of ["node-a", "node-b"])
    await lab.host(name).exec("nft", ["-f", "-"], { input: rules.join("\n") });
}

export const L05: Lesson = {
  number: 5,
  title: "MTU 1500 inside 1500: ping works, a copy hangs",
  story: [
    "The overlay has been given the MTU that the cards have, 1500. A ping from pod to pod is answered, a login prompt comes, and then the " +
      "first full packet goes into the tunnel: with what is put around it, it is longer than the network between the nodes takes. " +
      "node-a's kernel cuts the datagram in two, and the network drops fragments, as many do. The sender sends it again, and again.",
  ],
  bytes: () => [
    "│ Ethernet │ IPv4 20 │ UDP 8 │ VXLAN 8 │ Ethernet 14 │ inner IP packet │",
    "           └──────────────────── at most 1500 ──────────────────────┘",
  ],
  ...configExercises({
    file: "overlay.yaml",
    text: "# What both agents are told, beside addresses and peers.\nmtu: 1500\n",
    setting: { name: "mtu", least: LEAST, most: 9000 },
    nodes: ["node-a", "node-b"],
    config: { pmtu: "off", pmtuProbe: "off" },
    todo: [
      "From pod-a, ping 10.244.2.2 with -M do and growing sizes (-s 1400, …) and find the longest that is answered. ping's size is without " +
        "28 bytes of IP and ICMP. Write the overlay's MTU into overlay.yaml: the largest with which a copy arrives.",
    ],
    prepare,
    look,
    lookAt: ({ mtu }) => {
      const bytes = mtu as number;
      if (bytes > BEST) return tooBig(bytes, "A small ping fits, a copy does not.");
      return bytes === BEST ? DONE : tooSmall(bytes);
    },
    wrong: {
      typed: [{ where: "here", shell: "sed -i 's/^mtu: .*/mtu: 1472/' overlay.yaml" }],
      says: /An inner packet of 1472 is 1522 outside, more than 1500/,
    },
    solution: [{ where: "here", shell: "sed -i 's/^mtu: .*/mtu: 1450/' overlay.yaml" }],
  }),
  moral:
    "The overlay's MTU is the underlay's less 50; over IPv6 less 70. poplin asks the card and sets it by itself.",
};
