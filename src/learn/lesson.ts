/**
 * What a lesson is: a story, the bytes, something to do in an ordinary shell, and a check that looks at what is really there
 * and needs no button. What went wrong gives the hint. The solution is typed by a test, and a wrong attempt before it.
 */

/** What the check has seen just now. */
export interface Seen {
  readonly done: boolean;
  /** What to try next, after what was done; what has been shown, where it is done. */
  readonly says: string;
  /** Lines below it, of at most 80 columns, that stay as they are. */
  readonly shows?: readonly string[];
}

/** Something that is typed. */
export interface Typed {
  /** A host of the lesson's lab; "here" is the learner's own shell, in the lesson's folder. */
  readonly where: string;
  /** What a shell is given. */
  readonly shell: string;
}

/** A wrong attempt, and what the lesson says to it. */
export interface WrongAttempt {
  readonly typed: readonly Typed[];
  readonly says: RegExp;
}

/** What a lesson plays in. */
export interface Stage {
  /** The learner's files. */
  readonly folder: string;
  /** The hosts that can be entered, with a word about each; none without a lab. */
  readonly hosts: Readonly<Record<string, string>>;
  /** Has a shell on a host, or here, run something; what it says does not matter. */
  type(typed: Typed): Promise<void>;
  destroy(): void;
}

/** One way to have a lesson: with a lab, or with bytes alone where root is missing. */
export interface Exercise<S extends Stage = Stage> {
  /** Builds what it plays in. */
  readonly stage: (folder: string) => Promise<S>;
  /** Files that are there at first, by name. */
  readonly files: Readonly<Record<string, string>>;
  /** What to do, in paragraphs; lines that begin with four blanks stay as they are. */
  readonly todo: readonly string[];
  /** Looks at what is there. Asked again and again; changes nothing that the learner would notice. */
  readonly check: (stage: S) => Promise<Seen>;
  readonly wrong: WrongAttempt;
  readonly solution: readonly Typed[];
}

export interface Lesson {
  /** 0 to 15. */
  readonly number: number;
  readonly title: string;
  /** In paragraphs. */
  readonly story: readonly string[];
  /** What there is to see before anything is done: lines of at most 80 columns. */
  readonly bytes: () => readonly string[];
  /** Without root, or where no lab is needed. */
  readonly plain: Exercise;
  /** As root: with real hosts. Null where there is nothing that they would add. */
  // biome-ignore lint/suspicious/noExplicitAny: each exercise knows the stage that it builds itself
  readonly real: Exercise<any> | null;
  /** What it was about, in a sentence that can be remembered. */
  readonly moral: string;
}
