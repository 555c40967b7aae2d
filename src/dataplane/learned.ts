/**
 * What a dataplane has learned, as it is handed to another one: rows of integers beside the VTEPs and packets that they
 * name, so that tens of thousands of them take milliseconds. The seconds are counted back from now, as each dataplane has
 * a clock of its own.
 *
 *   row    hi │ lo │ VTEP's place │ idle │ age │ moved, −1 for never │ moves │ lesson's place + 1, 0 for none
 */
import type { Lesson } from "./lessons.ts";

export const LEARNED_WORDS = 8;
export const HI = 0;
export const LO = 1;
export const VTEP = 2;
export const IDLE = 3;
export const AGE = 4;
export const MOVED = 5;
export const MOVES = 6;
export const LESSON = 7;

export interface LearnedRows {
  readonly words: Int32Array;
  readonly vteps: readonly LearnedVtep[];
  readonly lessons: readonly Lesson[];
}

/** Where rows are. */
export interface LearnedVtep {
  /** 4 or 16 bytes. */
  readonly address: Uint8Array;
  readonly port: number;
}

/**
 * Makes one of what several dataplanes of one device have learned: of each MAC the row that was in use last. The packet that
 * taught it is known to the one that has received it.
 */
export function joinLearned(all: readonly LearnedRows[]): LearnedRows {
  if (all.length === 1) return all[0]!;
  const words: number[] = [];
  const rows = new Map<string, number>();
  const vteps: LearnedVtep[] = [];
  const lessons: Lesson[] = [];
  for (const one of all) {
    for (let at = 0; at < one.words.length; at += LEARNED_WORDS) {
      const row = one.words.slice(at, at + LEARNED_WORDS);
      row[VTEP]! += vteps.length;
      if (row[LESSON] !== 0) row[LESSON]! += lessons.length;
      const key = `${row[HI]} ${row[LO]}`;
      const known = rows.get(key) ?? words.length;
      rows.set(key, known);
      const other = words.slice(known, known + LEARNED_WORDS);
      const [latest, older] = other.length === 0 || row[IDLE]! < other[IDLE]! ? [row, other] : [other, row];
      if (latest[LESSON] === 0) latest[LESSON] = older[LESSON] ?? 0;
      latest.forEach((word, i) => {
        words[known + i] = word;
      });
    }
    vteps.push(...one.vteps);
    lessons.push(...one.lessons);
  }
  return { words: Int32Array.from(words), vteps, lessons };
}
