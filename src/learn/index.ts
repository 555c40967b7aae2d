/** The lessons, in their order. */
import type { Lesson } from "./lesson.ts";
import { L00 } from "./lessons/l00.ts";
import { L01 } from "./lessons/l01.ts";

export const LESSONS: readonly Lesson[] = [L00, L01];
