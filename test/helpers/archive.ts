/** What is in a .tar.gz. */
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { parseTar } from "nanotar";

/** The texts of an archive by their names, without the folder that they are all in. */
export function textsIn(archive: string): Map<string, string> {
  // A copy: nanotar reads from the start of the ArrayBuffer, and Node may have put something else there before.
  const files = parseTar(Uint8Array.from(gunzipSync(readFileSync(archive))));
  return new Map(files.map(({ name, text }) => [name.replace(/^[^/]*\//, ""), text]));
}
