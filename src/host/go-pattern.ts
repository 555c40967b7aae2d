/**
 * Patterns as Go's regexp takes them (RE2's syntax), for JavaScript's RegExp. The two agree on nearly all that anybody
 * writes for addresses and interface names; what has another form is rewritten, and the rest is refused, since a pattern
 * that means something else is worse than none. JavaScript's "u" mode is the one that refuses.
 */
import { HostError } from "./command.ts";

/**
 * @returns what finds the pattern anywhere in a text, as Go's MatchString does
 * @throws HostError `HOST_BAD_OPTION`
 */
export function goPattern(text: string): RegExp {
  const [leading = "", letters = ""] = /^\(\?([a-z]+)\)/i.exec(text) ?? [];
  if (!/^[ims]*$/.test(letters)) throw notUnderstood(text, `it begins with ${leading}`);
  try {
    return new RegExp(rewritten(text.slice(leading.length)), `u${[...new Set(letters)].join("")}`);
  } catch (error) {
    throw notUnderstood(text, (error as Error).message.replace(/^Invalid regular expression: /, ""), error);
  }
}

function notUnderstood(text: string, reason: string, cause?: unknown): HostError {
  const message = `the pattern "${text}" cannot be understood: ${reason}`;
  const remedy = "write it with . * + ? [] () | ^ $ and \\, and with (?i) only at its beginning";
  return new HostError("HOST_BAD_OPTION", message, remedy, cause);
}

/** In this order: quoted text, an escaped character, a group with a name, a class with a name. */
const REWRITTEN = /\\Q(?<quoted>.*?)(?:\\E|$)|\\(?<escaped>.)|(?<named>\(\?P<)|\[:(?<posix>\^?\w+):\]/gs;

function rewritten(pattern: string): string {
  return pattern.replace(REWRITTEN, (whole: string, ...rest) => {
    const { quoted, escaped, named, posix } = rest.at(-1) as Readonly<Record<string, string | undefined>>;
    if (quoted !== undefined) return quoted.replace(/[^\w\s]/g, hexOf);
    if (named !== undefined) return "(?<";
    if (posix !== undefined) {
      const range = POSIX.get(posix);
      if (range === undefined) throw new Error(`there is no class ${whole}`);
      return range;
    }
    // Go lets any punctuation be escaped, JavaScript only what has a meaning.
    return EDGES.get(escaped!) ?? (/[!-/:-@[-`{-~]/.test(escaped!) ? hexOf(escaped!) : whole);
  });
}

function hexOf(character: string): string {
  return `\\u{${character.codePointAt(0)!.toString(16)}}`;
}

/** The beginning and the end of the text, whatever the flags. */
const EDGES: ReadonlyMap<string, string> = new Map([
  ["A", "(?<![^])"],
  ["z", "(?![^])"],
]);

const POSIX: ReadonlyMap<string, string> = new Map([
  ["alnum", "0-9A-Za-z"],
  ["alpha", "A-Za-z"],
  ["digit", "0-9"],
  ["lower", "a-z"],
  ["upper", "A-Z"],
  ["word", "\\w"],
  ["xdigit", "0-9A-Fa-f"],
]);
