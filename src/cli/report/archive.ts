/** Gathers the items, takes out what is nobody else's business, and makes an archive of the rest. */
import { hostname } from "node:os";
import { gzipSync } from "node:zlib";
import { createTar } from "nanotar";
import { version } from "../../agent/version.ts";
import { Anonymizer } from "./anonymize.ts";
import { type Gathered, manifestText } from "./manifest.ts";
import { Redactor, type Secret } from "./redact.ts";
import type { Item } from "./scene.ts";
import { cut } from "./sources.ts";

export interface ArchiveOptions {
  /** The folder that all of it is in. */
  readonly folder: string;
  readonly secrets: readonly Secret[];
  readonly anonymize: boolean;
  readonly now: Date;
}

export interface Archive {
  /** A tar file, packed. */
  readonly bytes: Uint8Array;
  readonly items: readonly Gathered[];
}

export async function archiveOf(items: readonly Item[], options: ArchiveOptions): Promise<Archive> {
  const { folder, secrets, anonymize, now } = options;
  const redactor = new Redactor(secrets);
  const anonymizer = anonymize ? new Anonymizer(hostname()) : null;
  const clean = (text: string): string => {
    const redacted = redactor.redact(text);
    return anonymizer?.anonymize(redacted) ?? redacted;
  };
  const files: { name: string; data: string }[] = [];
  const gathered: Gathered[] = [];
  for (const { file, about, text } of items) {
    const { reason, said } = await taken(text);
    const data = reason === null ? `${cut(clean(said).trimEnd())}\n` : null;
    if (data !== null) files.push({ name: file, data });
    // A reason may name a file or an address.
    const size = data === null ? null : Buffer.byteLength(data);
    gathered.push({ file, about: clean(about), size, reason: reason === null ? null : clean(reason) });
  }
  const redacted = redactor.counts;
  const manifest = {
    version: version(),
    at: now.toISOString(),
    items: gathered,
    redacted,
    anonymized: anonymize,
  };
  const all = [{ name: "index.md", data: manifestText(manifest) }, ...files];
  const tar = createTar(
    all.map(({ name, data }) => ({ name: `${folder}/${name}`, data })),
    { attrs: { mode: "600", uid: 0, gid: 0, mtime: now.getTime() } },
  );
  return { bytes: gzipSync(tar), items: gathered };
}

async function taken(text: Item["text"]): Promise<{ reason: string | null; said: string }> {
  try {
    const said = await text();
    return said.trim() === "" ? { reason: "it is empty", said } : { reason: null, said };
  } catch (error) {
    return { reason: (error as Error).message.replaceAll("\n", " "), said: "" };
  }
}
