/** L7: the FDB. */
import { addressOf, BridgedStage, macOf, vtepOf } from "../exercises/bridged.ts";
import { play, type Sent } from "../exercises/stations.ts";
import type { Exercise, Lesson, Seen } from "../lesson.ts";
import { FolderStage } from "../stages.ts";

/** Seconds. */
const AGEING = 10;

const plain: Exercise = {
  stage: async (folder) => new FolderStage(folder),
  files: { "frames.txt": "# A frame a line, in their order, as: a -> b\na -> b\n" },
  todo: [
    "frames.txt says which frames are sent, one a line. Three VTEPs in memory carry them: A, B and C, with a station behind each, a, b and c. " +
      "Add frames until one from a to b goes to B alone.",
  ],
  check: async (stage) => {
    const played = play((stage as FolderStage).read("frames.txt"), ["frame"]);
    return typeof played === "string" ? { done: false, says: played } : judgePlay(played.sent);
  },
  wrong: {
    typed: [{ where: "here", shell: "echo 'a -> b' >> frames.txt" }],
    says: /a -> b to B and C; a -> b to B and C\. A knows where a MAC is when it has heard a frame from it/,
  },
  solution: [{ where: "here", shell: "printf 'a -> b\\nb -> a\\na -> b\\n' > frames.txt" }],
};

function judgePlay(sent: readonly Sent[]): Seen {
  const story = `${sent.map(({ from, to, vteps }) => `${from} -> ${to} to ${vteps.join(" and ")}`).join("; ")}.`;
  const done = sent.some(({ from, to, vteps }) => from === "a" && to === "b" && vteps.join() === "B");
  if (done) return { done, says: `${story} Nobody has told A: it has learned from the frame that came.` };
  return { done, says: `${story} A knows where a MAC is when it has heard a frame from it.` };
}

/** For how many seconds the row had been idle when it was last there. */
const lastIdle = new WeakMap<BridgedStage, number>();

async function look(stage: BridgedStage): Promise<Seen> {
  const mac = macOf("b");
  const row = await stage.rowOf("b");
  if (row?.state === "permanent") {
    lastIdle.delete(stage);
    const says = `host-a has a row for ${mac} that somebody gave it: it is not learned, and never ages. Take it out again, and let the stations talk.`;
    return { done: false, says };
  }
  if (row !== undefined) {
    lastIdle.set(stage, row.learned!.idle);
    const says = `Learned: host-a has heard ${mac} from ${row.dst}. Now leave it alone for ${AGEING} seconds, and watch it go.`;
    return { done: false, says };
  }
  const idle = lastIdle.get(stage);
  if (idle === undefined)
    return { done: false, says: `host-a has no row for ${mac}: what is for it goes to both other hosts.` };
  // Of the last second nothing is known.
  if (idle < AGEING - 2) {
    lastIdle.delete(stage);
    return {
      done: false,
      says: "The row was taken out before it was old. Have it learned again, and leave it alone.",
    };
  }
  const says = `The row is gone: nothing came from ${mac} for ${AGEING} seconds. The next frame for it is flooded again.`;
  return { done: true, says };
}

const real: Exercise<BridgedStage> = {
  stage: (folder) => BridgedStage.start(folder, { ageing: AGEING }),
  files: {},
  todo: [
    `Ping station-b, ${addressOf("b")}, from station-a. On host-a, \`poplin fdb show\` says what it has learned, \`poplin fdb why ${macOf("b")}\` from what. Then stop, and watch the row age: ${AGEING} seconds here, 300 by default.`,
  ],
  check: look,
  wrong: {
    typed: [{ where: "host-a", shell: `poplin fdb add ${macOf("b")} dst ${vtepOf("b")}` }],
    says: /a row for 02:99:00:00:00:0b that somebody gave it/,
  },
  solution: [
    { where: "host-a", shell: `poplin fdb del ${macOf("b")}` },
    { where: "station-a", shell: `ping -c 3 -i 0.2 ${addressOf("b")}` },
  ],
};

export const L07: Lesson = {
  number: 7,
  title: "the FDB: unknown unicast floods; watch it learn, watch it age",
  story: [
    "Which VTEP is a MAC behind? A table says so, the FDB (forwarding database). flannel fills it before any frame is sent. Where nobody " +
      "does, a VTEP does as a switch: what it does not know it sends to all others, and from each frame that comes it learns that its " +
      "source MAC is behind whoever sent it. What is not heard of for a while is forgotten.",
  ],
  bytes: () => [
    "frame to an unknown MAC ──▶ a copy to each VTEP",
    "frame from that MAC      ──▶ MAC → that VTEP",
    "the next frame           ──▶ to that VTEP alone",
  ],
  plain,
  real,
  moral: "Flood, learn, age: a VTEP is a switch whose cables are UDP.",
};
