/** L15: speed. */
import { graph, measure, type Speeds, WAYS, type Way } from "../exercises/speed.ts";
import type { Lesson, Seen } from "../lesson.ts";
import { FolderStage } from "../stages.ts";

const FILE = "guess.txt";
const GUESSED = ["pool", "room", "batch"] as const satisfies readonly Way[];

/** What was guessed; a text where there is something else. */
function readGuesses(text: string): Speeds | string {
  const speeds: Record<Way, number> = { concat: 1, pool: 1, room: 1, batch: 1 };
  for (const way of GUESSED) {
    const found = new RegExp(`^${way} = *(.*)$`, "m").exec(text)?.[1]?.trim().replace(/[×x]$/, "") ?? "";
    if (found === "") return `"${way}" is not guessed yet: a number of times as many packets as "concat".`;
    const times = Number(found);
    if (!(times > 0 && times < 1000))
      return `"${way}" is "${found}": guess a number such as 2, times as many packets as "concat".`;
    speeds[way] = times;
  }
  return speeds;
}

async function look(text: string): Promise<Seen> {
  const guesses = readGuesses(text);
  if (typeof guesses === "string") return { done: false, says: guesses };
  const speeds = await measure();
  const says =
    "On this machine, now: your guesses are at ┊. A call to the kernel costs more than a copy, and fewer calls gain most.";
  return { done: true, says, shows: graph(speeds, guesses) };
}

export const L15: Lesson = {
  number: 15,
  title: "speed: one copy and one system call at a time",
  story: [
    "A tunnel in userspace pays for each packet: a buffer, a copy or two, a call to read it and one to send it. None of that is VXLAN. Here " +
      "the same frames are sent in four ways, each without one thing that the one before has; the last is what poplin's dataplane does.",
  ],
  bytes: () => Object.entries(WAYS).map(([way, what]) => `${way.padEnd(7)} ${what}`),
  plain: {
    stage: async (folder) => new FolderStage(folder),
    files: {
      [FILE]: `# How many times as many packets per second as "concat"?\n${GUESSED.map((way) => `${way} = \n`).join("")}`,
    },
    todo: [
      `Guess before you measure: fill in ${FILE}. When all three are there, it is measured for some seconds, over UDP on this machine.`,
    ],
    check: (stage) => look((stage as FolderStage).read(FILE)),
    wrong: {
      typed: [{ where: "here", shell: `sed -i 's/^pool = .*/pool = faster/' ${FILE}` }],
      says: /"pool" is "faster": guess a number/,
    },
    solution: [
      {
        where: "here",
        shell: `sed -i 's/^pool = .*/pool = 1.5/; s/^room = .*/room = 2/; s/^batch = .*/batch = 5/' ${FILE}`,
      },
    ],
  },
  real: null,
  moral:
    "`poplin` is as fast as it is by what it does not do: no allocation, no copy of its own, few calls. bench/README.md has the rest of the figures.",
};
