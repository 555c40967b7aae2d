/** The first file of a report: what is in it, what is not and why, and what was taken out. Pure. */

/** An item, as it came. */
export interface Gathered {
  readonly file: string;
  readonly about: string;
  /** Bytes; null where it could not be had. */
  readonly size: number | null;
  /** Why it could not be had; null where it could. */
  readonly reason: string | null;
}

export interface Manifest {
  readonly version: string;
  readonly at: string;
  readonly items: readonly Gathered[];
  readonly redacted: ReadonlyMap<string, number>;
  readonly anonymized: boolean;
}

export function manifestText({ version, at, items, redacted, anonymized }: Manifest): string {
  const here = items.filter(({ reason }) => reason === null);
  const missing = items.filter(({ reason }) => reason !== null);
  return [
    "# A report of poplin's",
    "",
    `Made by \`poplin report\` ${version} at ${at}. Read it before you send it.`,
    "",
    "## What is in it",
    "",
    ...table(
      ["file", "what", "bytes"],
      here.map(({ file, about, size }) => [file, about, String(size)]),
    ),
    "",
    "## What is not, and why",
    "",
    ...(missing.length === 0
      ? ["Nothing is missing."]
      : missing.map(({ file, about, reason }) => `- ${file} (${about}): ${reason}`)),
    "",
    "## What was taken out",
    "",
    "Values of variables, flags and keys whose names say that they are secret, wherever they stand; users and passwords",
    "in URLs; tokens; private keys. Of the agent's environment only poplin's, flannel's and Node's variables have values.",
    "",
    ...(redacted.size === 0
      ? ["Nothing of that was found."]
      : [...redacted].map(([kind, n]) => `- ${kind}: ${n} times`)),
    "",
    anonymized
      ? "Addresses, MACs and this host's name stand for others: the same each time, subnets are subnets still, and public\n" +
        "IPv4 addresses are in 240.0.0.0/4. Names of other hosts, and of interfaces, are what they are."
      : "Addresses and names are what they are: `--anonymize` replaces them.",
    "",
  ].join("\n");
}

function table(titles: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(titles), line(titles.map(() => "---")), ...rows.map(line)];
}
