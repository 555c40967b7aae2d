/** Exercises of questions: a file of `name = value` lines, to be filled in. */
import type { Exercise } from "../lesson.ts";
import { FolderStage } from "../stages.ts";

const FILE = "answers.txt";

/** A number that is asked for, and what somebody may have taken for it. */
export interface Question {
  readonly name: string;
  readonly answer: number;
  /** What a wrong number is, by the number. */
  readonly mistakes: Readonly<Record<number, string>>;
  /** For any other. */
  readonly hint: string;
}

export interface AnswersExercise {
  /** Above the questions. */
  readonly heading: string;
  readonly questions: readonly Question[];
  readonly todo: string;
  /** What is said when all are answered. */
  readonly says: string;
  /** The last mistake that a test makes: a question, and a number that is one of its `mistakes`. */
  readonly mistake: { readonly name: string; readonly number: number };
}

export function answersExercise({ heading, questions, todo, says, mistake }: AnswersExercise): Exercise {
  const fill = (wrong?: AnswersExercise["mistake"]): string => {
    const lines = questions.map(({ name, answer }) => {
      const number = wrong?.name === name ? wrong.number : answer;
      return `s/^${name} = .*/${name} = ${number}/`;
    });
    return `sed -i '${lines.join("; ")}' ${FILE}`;
  };
  return {
    stage: async (folder) => new FolderStage(folder),
    files: { [FILE]: `# ${heading}\n${questions.map(({ name }) => `${name} = \n`).join("")}` },
    todo: [`Fill in ${FILE} with an editor. ${todo}`],
    check: async (stage) => {
      const wrong = firstMistake((stage as FolderStage).read(FILE), questions);
      return wrong === null ? { done: true, says } : { done: false, says: wrong };
    },
    wrong: {
      typed: [{ where: "here", shell: fill(mistake) }],
      says: new RegExp(`"${mistake.name}" is not ${mistake.number}: .`),
    },
    solution: [{ where: "here", shell: fill() }],
  };
}

/** The first question that is not answered rightly, in words; null where all are. */
function firstMistake(text: string, questions: readonly Question[]): string | null {
  const answers = answersIn(text);
  for (const { name, answer, mistakes, hint } of questions) {
    const given = (answers.get(name) ?? "").replace(/ *bytes?$/, "");
    if (given === "") return `"${name}" is not answered yet: ${hint}`;
    const number = Number(given);
    if (!Number.isFinite(number)) return `"${name}" is "${given}": write a number alone.`;
    if (number !== answer) return `"${name}" is not ${given}: ${mistakes[number] ?? hint}`;
  }
  return null;
}

/** What stands behind each name; "" where nothing does. What follows a # is for people. */
function answersIn(text: string): ReadonlyMap<string, string> {
  const answers = new Map<string, string>();
  for (const line of text.split("\n")) {
    const [name, value] = line.replace(/#.*/, "").split("=");
    if (value !== undefined) answers.set(name!.trim(), value.trim());
  }
  return answers;
}
