/**
 * Hexadecimal bytes as people paste them: plain digits, with separators or `0x` or `\x`, C arrays, and the dumps of xxd,
 * hexdump -C, tcpdump -x and Wireshark, whose offsets and text columns are left out. Comments (`#`, `//`) are, too.
 */

/** Bytes, or why the text is none, in words. */
export type HexReading =
  | { readonly ok: true; readonly bytes: Uint8Array }
  | { readonly ok: false; readonly problem: string };

/** Bytes on a line of a dump. */
const DUMP_BYTES = 16;
/** Largest packet that is read: a jumbo frame and its overhead is far below. */
const MOST_BYTES = 1 << 18;

/** An offset, and what follows it: "0x0010:  4500", "00000010  45 00", "0010   45 00". */
const OFFSET = /^\s*(?:0x)?([0-9a-f]{4,8})(?::\s+|\s{2,})(?=[0-9a-f]{2})/i;

export function readHexText(text: string): HexReading {
  const bytes: number[] = [];
  let digits = "";
  let dumped = false;
  const lines = text.split(/\r?\n/);
  for (const [i, line] of lines.entries()) {
    // hexdump ends with an offset alone.
    if (dumped && Number.parseInt(line, 16) === bytes.length && /^[0-9a-f]{7,8}$/i.test(line)) continue;
    const dump = digits === "" ? dumpLine(line, bytes.length) : null;
    if (dump !== null) {
      dumped = true;
      bytes.push(...dump);
      continue;
    }
    const plain = line
      .replace(/(#|\/\/).*/, "")
      .replace(/0x|\\x/gi, "")
      .replace(/[\s,;:.\-_[\](){}"']+/g, "");
    const strange = /[^0-9a-f]/i.exec(plain);
    if (strange !== null) {
      return { ok: false, problem: `line ${i + 1}: "${strange[0]}" is no hexadecimal digit` };
    }
    digits += plain;
    for (; digits.length >= 2; digits = digits.slice(2)) bytes.push(Number.parseInt(digits.slice(0, 2), 16));
    if (bytes.length > MOST_BYTES)
      return { ok: false, problem: `more than ${MOST_BYTES} bytes are no packet` };
  }
  if (digits !== "") return { ok: false, problem: "the last byte has one digit: a byte is two" };
  if (bytes.length === 0) return { ok: false, problem: "there are no bytes in it" };
  return { ok: true, bytes: Uint8Array.from(bytes) };
}

/** The bytes of a dump's line; null where it is none: its offset is not the number of bytes before it. */
function dumpLine(line: string, before: number): number[] | null {
  const found = OFFSET.exec(line);
  if (found === null || Number.parseInt(found[1]!, 16) !== before) return null;
  const bytes: number[] = [];
  let rest = line.slice(found[0].length).replace(/\|.*/, "");
  while (bytes.length < DUMP_BYTES) {
    const group = /^((?:[0-9a-f]{2})+)(\s*)/i.exec(rest);
    if (group === null) break;
    for (let i = 0; i < group[1]!.length; i += 2) bytes.push(Number.parseInt(group[1]!.slice(i, i + 2), 16));
    rest = rest.slice(group[0].length);
    // A text column follows a wide gap; one of two spaces is also between the halves of a line.
    const gap = group[2]!.length;
    if (gap > 2 || (gap === 2 && bytes.length !== DUMP_BYTES / 2)) break;
  }
  return bytes.length === 0 ? null : bytes.slice(0, DUMP_BYTES);
}
