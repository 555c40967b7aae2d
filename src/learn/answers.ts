/** Files with questions in them: `name = value` a line, to be filled in. */

/** What stands behind each name; "" where nothing does. Lines that begin with # are for people. */
export function answersIn(text: string): ReadonlyMap<string, string> {
  const answers = new Map<string, string>();
  for (const line of text.split("\n")) {
    const [name, value] = line.split("=");
    if (!line.trimStart().startsWith("#") && value !== undefined) answers.set(name!.trim(), value.trim());
  }
  return answers;
}

/** A number that is asked for, and what somebody may have taken for it. */
export interface Question {
  readonly name: string;
  readonly answer: number;
  /** What a wrong number is, by the number. */
  readonly mistakes: Readonly<Record<number, string>>;
  /** For any other. */
  readonly hint: string;
}

/** The first question that is not answered rightly, in words; null where all are. */
export function firstMistake(text: string, questions: readonly Question[]): string | null {
  const answers = answersIn(text);
  for (const { name, answer, mistakes, hint } of questions) {
    const given = answers.get(name) ?? "";
    if (given === "") return `"${name}" is not answered yet. ${hint}`;
    const number = Number(given);
    if (number !== answer) return `"${name}" is not ${given}: ${mistakes[number] ?? hint}`;
  }
  return null;
}
