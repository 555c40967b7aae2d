/** L8: a MAC moves. */
import { addressOf, BridgedStage, macOf, vtepOf } from "../exercises/bridged.ts";
import { play } from "../exercises/stations.ts";
import type { Exercise, Lesson, Seen } from "../lesson.ts";
import { FolderStage } from "../stages.ts";

const START = "static b B\nmove b C\na -> b\n";
const DONE =
  "The static row is gone; A has learned from b's own frame where it is now, and would learn it again.";

const plain: Exercise = {
  stage: async (folder) => new FolderStage(folder),
  files: {
    "steps.txt": `# static b B   somebody tells A that b is behind B\n# move b C     b is carried over to C\n# del b        takes A's row of b out\n# a -> b       a frame\n${START}`,
  },
  todo: [
    "steps.txt is what happens to A, B and C, three VTEPs in memory that learn, and to stations a, b and c behind them. The last frame goes " +
      "to where b was. Add steps, without another `static`, until a frame from a reaches b.",
  ],
  check: async (stage) => {
    const text = (stage as FolderStage).read("steps.txt");
    const played = play(text);
    if (typeof played === "string") return { done: false, says: played };
    const { sent, rowOf, placeOf } = played;
    const isMoved = /^move b C$/m.test(text) && placeOf("b") === "C" && placeOf("a") === "A";
    if (!isMoved)
      return { done: false, says: "b moves to C, and a stays behind A: that happens, whatever you do." };
    const row = rowOf("b");
    if (row?.isLearned === false && row.vtep === "C")
      return {
        done: false,
        says: "That reaches b until it moves again: a static row says what somebody once knew.",
      };
    const last = sent.findLast(({ from, to }) => from === "a" && to === "b");
    if (last?.arrived === true && row?.isLearned) return { done: true, says: DONE };
    const reasons = sent.flatMap((one) => one.reasons);
    if (reasons.includes("VXLAN_ENTRY_EXISTS")) {
      const says =
        "A has heard b from C and dropped the frame, VXLAN_ENTRY_EXISTS: learning never changes a static row.";
      return { done: false, says };
    }
    if (row === undefined)
      return {
        done: false,
        says: "The static row is gone, and A has heard nothing of b since: let b send something.",
      };
    return { done: false, says: "a's frame goes to B, where b is no more." };
  },
  wrong: {
    typed: [{ where: "here", shell: "printf 'b -> a\\na -> b\\n' >> steps.txt" }],
    says: /VXLAN_ENTRY_EXISTS: learning never changes a static row/,
  },
  solution: [
    {
      where: "here",
      shell: `printf '${START.replaceAll("\n", "\\n")}del b\\nb -> a\\na -> b\\n' > steps.txt`,
    },
  ],
};

async function look(stage: BridgedStage): Promise<Seen> {
  const row = await stage.rowOf("b");
  if (row?.state === "learned" && row.dst === vtepOf("c"))
    return { done: true, says: `host-a has learned that ${macOf("b")} is behind ${row.dst}.` };
  if (row?.state === "permanent" && row.dst === vtepOf("c"))
    return {
      done: false,
      says: "That reaches station-b until it moves again: a static row says what somebody once knew.",
    };
  if (row === undefined)
    return { done: false, says: "The static row is gone. Nothing is learned yet: let the stations talk." };
  const count = await stage.dropped("VXLAN_ENTRY_EXISTS");
  const dropped =
    count === 0
      ? ""
      : " It has heard that MAC from elsewhere and dropped those frames, VXLAN_ENTRY_EXISTS: learning never changes a static row.";
  return { done: false, says: `host-a has a static row: ${macOf("b")} is behind ${row.dst}.${dropped}` };
}

const real: Exercise<BridgedStage> = {
  stage: async (folder) => {
    const stage = await BridgedStage.start(folder, { ageing: 300, places: { b: "c" } });
    await stage.onA("fdb", "add", macOf("b"), "dst", vtepOf("b"));
    return stage;
  },
  files: {},
  todo: [
    `station-b has moved: it is behind host-c now. Ping it, ${addressOf("b")}, from station-a, and ping station-a from station-b; look at \`poplin fdb show\` and \`poplin stats\` on host-a. Have host-a learn where station-b is.`,
  ],
  check: look,
  wrong: {
    typed: [{ where: "station-b", shell: `ping -c 2 -i 0.2 -W 1 ${addressOf("a")}` }],
    says: /VXLAN_ENTRY_EXISTS: learning never changes a static row/,
  },
  solution: [
    { where: "host-a", shell: `poplin fdb del ${macOf("b")}` },
    { where: "station-b", shell: `ping -c 2 -i 0.2 ${addressOf("a")}` },
  ],
};

export const L08: Lesson = {
  number: 8,
  title: "a MAC moves: learned against static",
  story: [
    "A machine is moved to another rack and keeps its MAC. A learned row moves with it: the next frame that it sends says where it is. A " +
      "row that somebody has configured does not: Linux and poplin take his word, and drop what contradicts it.",
  ],
  bytes: () => [
    "learned   MAC → VTEP B     frame from VTEP C: MAC → VTEP C",
    "static    MAC → VTEP B     frame from VTEP C: dropped",
  ],
  plain,
  real,
  moral: "Learned rows follow; static rows stay until somebody changes them.",
};
