/**
 * Takes out of texts what is nobody else's business: passwords, tokens, keys. Two ways, since neither finds all of it:
 * values that are known to be secret, wherever they stand; and what looks like one by the word before it. Pure.
 */

/** A value that is not to be seen, and what it is: "FLANNELD_ETCD_PASSWORD". */
export interface Secret {
  readonly name: string;
  readonly value: string;
}

/** Shorter ones would be found in half of all words: only the patterns catch them. */
const SHORTEST = 4;

/** Names of variables, flags and keys whose values are secret, but names of files with one: `TOKEN_FILE`. */
const SECRET_NAME =
  /pass(?:word|wd|phrase)?$|passwd|password|secret|token|credential|authorization|cookie|private.?key|api.?key|access.?key|key-data$|client-certificate-data$/i;
const NAME_OF_FILE = /(?:file|path|dir|directory|mount)$/i;

/** @returns whether a setting of that name holds a secret */
export function isSecretName(name: string): boolean {
  return SECRET_NAME.test(name) && !NAME_OF_FILE.test(name);
}

/** What looks like a secret: what stays of a match stands in its groups `before` and `after`. */
const PATTERNS: readonly (readonly [kind: string, pattern: RegExp])[] = [
  [
    "private key",
    /(?<before>-----BEGIN [A-Z ]*PRIVATE KEY-----)[\s\S]*?(?<after>-----END [A-Z ]*PRIVATE KEY-----)/g,
  ],
  ["user and password of a URL", /(?<before>\b[a-z][a-z0-9+.-]*:\/\/)[^\s/"'@]*(?::[^\s/"']*)?(?=@)/gi],
  ["authorization", /(?<before>\bauthorization["']?\s*[:=]\s*["']?\w+\s+)(?!\[redacted)[\w.~+/=-]+/gi],
  ["authorization", /(?<before>\bbearer\s+)(?!\[redacted)[\w.~+/=-]{16,}/gi],
  ["token (JWT)", /\beyJ[\w-]+\.[\w-]+(?:\.[\w-]+)?/g],
  [
    "named as a secret",
    // password: "…", --etcd-password=…, ETCD_TOKEN=…, "token":"…", --etcd-password …
    /(?<before>(?:--[\w-]*password[= ]|\b[\w.-]*(?:password|passwd|passphrase|secret|token|api[_-]?key|private[_-]?key|key-data)["']?\s*[:=]\s*))(?!\[redacted|null\b|true\b|false\b)(?:"(?:[^"\\]|\\.)*"|'[^']*'|[^\s,;}\]"']+)/gi,
  ],
];

export class Redactor {
  readonly #secrets: readonly { readonly name: string; readonly texts: readonly string[] }[];
  readonly #counts = new Map<string, number>();

  constructor(secrets: readonly Secret[]) {
    this.#secrets = secrets
      .filter(({ value }) => value.length >= SHORTEST)
      // The longest first: one may be a part of another.
      .sort((a, b) => b.value.length - a.value.length)
      .map(({ name, value }) => ({ name, texts: spellings(value) }));
  }

  /** How often what was taken out, by what it was. */
  get counts(): ReadonlyMap<string, number> {
    return this.#counts;
  }

  redact(text: string): string {
    let out = text;
    for (const { name, texts } of this.#secrets)
      for (const spelled of texts) {
        const parts = out.split(spelled);
        if (parts.length > 1) this.#count(name, parts.length - 1);
        out = parts.join(`[redacted: ${name}]`);
      }
    for (const [kind, pattern] of PATTERNS)
      out = out.replace(pattern, (...match) => {
        const { before = "", after = "" } = (match.at(-1) ?? {}) as Partial<Record<string, string>>;
        this.#count(kind, 1);
        return `${before}[redacted]${after}`;
      });
    return out;
  }

  #count(kind: string, times: number): void {
    this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + times);
  }
}

/** A value as it stands in texts, in JSON, in URLs, and in headers and Kubernetes' objects (base64). */
function spellings(value: string): string[] {
  const json = JSON.stringify(value).slice(1, -1);
  const base64 = Buffer.from(value, "utf8").toString("base64");
  return [...new Set([value, json, encodeURIComponent(value), base64, base64.replace(/=+$/, "")])];
}
