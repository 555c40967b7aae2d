/** The lessons, in their order. */
import type { Lesson } from "./lesson.ts";
import { L00 } from "./lessons/l00.ts";
import { L01 } from "./lessons/l01.ts";
import { L02 } from "./lessons/l02.ts";
import { L03 } from "./lessons/l03.ts";
import { L04 } from "./lessons/l04.ts";
import { L05 } from "./lessons/l05.ts";
import { L06 } from "./lessons/l06.ts";
import { L07 } from "./lessons/l07.ts";
import { L08 } from "./lessons/l08.ts";
import { L09 } from "./lessons/l09.ts";
import { L10 } from "./lessons/l10.ts";
import { L11 } from "./lessons/l11.ts";
import { L12 } from "./lessons/l12.ts";
import { L13 } from "./lessons/l13.ts";
import { L14 } from "./lessons/l14.ts";
import { L15 } from "./lessons/l15.ts";

export const LESSONS: readonly Lesson[] = [
  L00,
  L01,
  L02,
  L03,
  L04,
  L05,
  L06,
  L07,
  L08,
  L09,
  L10,
  L11,
  L12,
  L13,
  L14,
  L15,
];
