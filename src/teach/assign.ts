/**
 * `path=value` on a packet: which field is meant, and the packet with that value in it.
 *
 *   vni=2   flags.i=0   outer.ttl=1   inner.ethernet.source=02:00:00:00:00:01   source-port=5000
 *
 * A path is the words of a field's id, in their order; words may be left out as long as one field is meant.
 */
import { type FieldValue, fromHex, type PacketOptions, putBits, VXLAN, VXLAN_GBP } from "../wire/index.ts";
import { type Explanation, explain, fieldsOf } from "./explanation.ts";
import { repairChecksums } from "./repair.ts";
import { parseValue, ValueError, type ValueField } from "./value.ts";

export interface Assignment {
  readonly path: string;
  readonly value: string;
}

export interface AssignOptions extends PacketOptions {
  /** Whether checksums that nobody has given a value are put right afterwards. Default true. */
  readonly repair?: boolean;
}

/** @throws ValueError for a text that is no `path=value` */
export function parseAssignment(text: string): Assignment {
  const at = text.indexOf("=");
  if (at < 1) throw new ValueError(`"${text}" assigns nothing: write field=value, such as vni=2`);
  return { path: text.slice(0, at).trim(), value: text.slice(at + 1).trim() };
}

/**
 * @returns the packet with the values in it; `bytes` stay as they are
 * @throws ValueError for a path that means no field, or several, and a value that the field cannot have
 */
export function assign(
  bytes: Uint8Array,
  assignments: readonly Assignment[],
  { repair = true, ...options }: AssignOptions = {},
): Uint8Array {
  const changed = bytes.slice();
  const given = new Set<number>();
  for (const { path, value } of assignments) {
    const field = findField(explain(changed, options), path);
    write(changed, field, parseValue(field, value));
    given.add(field.bit);
  }
  if (repair) repairChecksums(changed, options, given);
  return changed;
}

/** A field by its path, where it is in the packet. */
export interface FoundField extends ValueField {
  readonly bit: number;
}

/** @throws ValueError for a path that means no field, or several */
export function findField(explanation: Explanation, path: string): FoundField {
  const wanted = wordsOf(path);
  const fields = fieldsOf(explanation).filter(({ value }) => value !== null);
  const exact = fields.find(({ id }) => id === path);
  const found = exact ? [exact] : fields.filter(({ id }) => means(wanted, wordsOf(id)));
  if (found.length === 1) return found[0]!;
  if (found.length > 1) {
    throw new ValueError(`"${path}" may be ${list(found.map(({ id }) => id))}: write more of it`);
  }
  const hidden = otherVxlan(explanation).filter(({ id }) => means(wanted, wordsOf(id)));
  if (hidden.length > 0) return hidden[0]!;
  throw new ValueError(`there is no field "${path}" in this packet: ${offer(explanation, wanted)}`);
}

/** "inner.vxlan-gbp.sourcePort" → inner, vxlangbp, sourceport. The flags of VXLAN are called so, without being a field. */
function wordsOf(path: string): string[] {
  return path.split(".").map((word) =>
    word
      .toLowerCase()
      .replace(/[-_ ]/g, "")
      .replace(/^flags$/, "vxlan"),
  );
}

/** Whether these are some of the words of an id, in their order, and its last. */
function means(wanted: readonly string[], id: readonly string[]): boolean {
  if (wanted.at(-1) !== id.at(-1)) return false;
  let at = 0;
  for (const word of id) if (word === wanted[at] || (wanted[at] === "vxlan" && word === "vxlangbp")) at++;
  return at === wanted.length;
}

/** The fields that a VXLAN header would have if its first bit were another: by `g=1` a basic one gets a group policy. */
function otherVxlan({ parts }: Explanation): FoundField[] {
  return parts
    .filter(({ tone }) => tone === "tunnel")
    .flatMap(({ id, name, at }) =>
      (name === VXLAN.name ? VXLAN_GBP : VXLAN).fields.map((field) => ({
        ...{ id: `${id}.${field.name}`, bit: at * 8 + field.at, width: Number(field.width) },
        ...{ format: field.format, names: field.names },
      })),
    );
}

function offer({ parts }: Explanation, wanted: readonly string[]): string {
  const headers = parts.filter(({ kind }) => kind === "header" || kind === "option");
  const meant = headers.find(({ id }) => wordsOf(id).some((word) => wanted.slice(0, -1).includes(word)));
  if (meant !== undefined) return `${meant.id} has ${list(meant.fields.map(({ name }) => name))}`;
  return `its headers are ${list(headers.map(({ id }) => id))}`;
}

function list(words: readonly string[]): string {
  return words.length < 2 ? words.join() : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}

function write(bytes: Uint8Array, { bit, width }: FoundField, value: FieldValue): void {
  if (typeof value === "number") putBits(bytes, bit, width, value);
  else bytes.set(fromHex(value), bit / 8);
}
