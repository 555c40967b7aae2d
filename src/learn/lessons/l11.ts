/** L11: 8472, 4789 and "OTV". */
import { explain } from "../../teach/explanation.ts";
import { judge } from "../../teach/judge/judge.ts";
import { VXLAN_PORT_LINUX } from "../../wire/index.ts";
import { type ConfigStage, configExercises, type Settings } from "../exercises/config.ts";
import { NODE_B, PING } from "../exercises/ping.ts";
import type { Lesson, Seen } from "../lesson.ts";

const DONE: Seen = {
  done: true,
  says: `Both talk on ${VXLAN_PORT_LINUX}. A tool that says "OTV" there has looked up the port's name, not the bytes.`,
};

function hint({ port }: Settings, counted: string): Seen {
  return {
    done: false,
    says: `No answer. ${counted}: node-a sends to UDP port ${VXLAN_PORT_LINUX}, node-b listens on ${port}.`,
  };
}

/** Datagrams for ports on which nobody listens, as node-b's kernel has counted them. */
async function unreachable(stage: ConfigStage): Promise<number> {
  const { stdout } = await stage.lab.host("node-b").exec("cat", ["/proc/net/snmp"]);
  const [names, values] = stdout.split("\n").filter((line) => line.startsWith("Udp:"));
  return Number(values!.split(" ")[names!.split(" ").indexOf("NoPorts")]);
}

export const L11: Lesson = {
  number: 11,
  title: '8472, 4789 and "OTV"',
  story: [
    "Linux had VXLAN before IANA had given it a port, took 8472, and kept it as its default. 4789 came later and is the registered one; " +
      "8472 is registered for OTV, a protocol of Cisco's. flannel uses Linux's default, so Wireshark shows its packets as OTV or as " +
      "data until it is told: Decode As, or tshark -d udp.port==8472,vxlan.",
    "Now node-b has been given the registered port, because that is what the standard says. Again there is silence, but another one: no " +
      "VTEP has dropped anything, for none has seen it.",
  ],
  bytes: () => ["pod-a ── node-a ══ UDP 8472 ══▶ node-b ── pod-b"],
  ...configExercises({
    file: "node-b.yaml",
    text: "# What node-b's agent is told, beside its addresses and peers.\nport: 4789\n",
    setting: { name: "port", least: 1, most: 65_535 },
    nodes: ["node-b"],
    todo: [
      "Find out who answers what: on node-b `ss -ulnp`, on node-a `tcpdump -ni eth0 'udp or icmp'` while you ping. Then put node-b.yaml right.",
    ],
    look: async (stage, settings) => {
      if (await stage.pings()) return DONE;
      const count = await unreachable(stage);
      return hint(settings, `node-b's kernel has sent ICMP "port unreachable"${count > 0 ? "" : " not yet"}`);
    },
    lookAt: (settings) => {
      const port = Number(settings.port);
      const { fate, reason } = judge(explain(PING), { ...NODE_B, port }).poplin;
      return fate === "in" ? DONE : hint(settings, `node-b's kernel says ${reason}`);
    },
    wrong: {
      typed: [{ where: "here", shell: "sed -i 's/^port: .*/port: 8473/' node-b.yaml" }],
      says: /node-a sends to UDP port 8472, node-b listens on 8473/,
    },
    solution: [{ where: "here", shell: "sed -i 's/^port: .*/port: 8472/' node-b.yaml" }],
  }),
  moral: "A wrong port is the kernel's to refuse, with ICMP; a wrong VNI is the VTEP's, in silence.",
};
