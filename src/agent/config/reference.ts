/** The reference of all settings as Markdown, from the table: `docs/configuration.md`, which a test holds against it. */
import { OFFLOADS } from "../../dataplane/offloads.ts";
import { INHERITED_SETTINGS, OWN_SETTINGS } from "./overlays.ts";
import { PEER_FIELDS } from "./peers.ts";
import { SETTINGS, type Setting } from "./schema.ts";

const HEAD = `# Configuration

Made from the table in \`src/agent/config/schema.ts\`; a test compares the two.

A file given with \`poplin agent --config FILE\` is YAML, or JSON, which is a part of it. \`examples/node-a.yaml\` has
every setting with a comment. Each value is taken from the strongest place that gives it:

1. a flag, as \`--sender-check mac\`
2. an environment variable, as \`POPLIN_SENDER_CHECK=mac\`
3. the file, as \`senderCheck: mac\`
4. the default

Every mistake in them is reported at once, each with its place, also where a stronger place overrides the value.

On SIGHUP the agent reads file, environment and flags again. Settings marked *live* change while packets flow; if
any other setting is different, the reload is refused as a whole and nothing changes.

Where several values are possible (\`address\`, \`neighbours\`, \`offload\`), the file takes a list, the flag may be repeated, and the
flag and the variable take commas. For \`offload\` the file takes a text with commas and a map (\`{ tap-tso: off }\`)
too. Yes-or-no settings have a second flag with \`--no-\`.
`;

/** @returns the text of `docs/configuration.md`. */
export function settingsReference(): string {
  const peer = Object.entries(PEER_FIELDS).map(
    ([name, field]) =>
      `| \`${name}\` | ${field.required ? "yes" : "no"} | \`${field.example}\` | ${field.description} |`,
  );
  return [
    HEAD,
    "| Setting | Default | Reload | Flag | Variable |",
    "|---|---|---|---|---|",
    ...SETTINGS.map(row),
    "",
    ...SETTINGS.flatMap(({ name, description }) => [`\`${name}\`: ${description}`, ""]),
    "## Offloads",
    "",
    "| Name | When it is on |",
    "|---|---|",
    ...Object.entries(OFFLOADS).map(([name, meaning]) => `| \`${name}\` | ${meaning} |`),
    "",
    "`tap-tso` and `tap-uso` need `tap-csum`.",
    "",
    "## A peer",
    "",
    "| Field | Required | Example | Meaning |",
    "|---|---|---|---|",
    ...peer,
    "",
    "## Several overlays",
    "",
    "`overlays` in the file is a list of maps: each is an overlay with a VNI, a device, peers, a forwarding table and counters",
    "of its own; all of them share the UDP port. `examples/overlays.yaml` shows it.",
    "",
    `- Each has of its own, or not at all: ${names(OWN_SETTINGS)}. \`vni\` is required.`,
    `- Each may have, and takes from the top level what it does not: ${names(INHERITED_SETTINGS)}.`,
    "- All other settings are for the whole agent, and stand at the top level only.",
    "- The top level is an overlay as well exactly where it gives `vni` (also as a flag or variable), and is the first then.",
    "- VNIs and devices differ; subnets of peers overlap nowhere, since their routes stand in one table; all underlay",
    "  addresses are of one family.",
    "- A reload changes what is *live* in each overlay. One overlay more or less, or another order, needs a restart.",
    "",
  ].join("\n");
}

function names(settings: readonly string[]): string {
  return settings.map((name) => `\`${name}\``).join(", ");
}

function row({ name, defaultText, reload, flag, placeholder, env }: Setting): string {
  const value = placeholder === null ? "" : ` ${placeholder}`;
  const word = flag === null ? "file only" : `\`${flag}${value}\``;
  const variable = env === null ? "" : `\`${env}\``;
  return `| \`${name}\` | ${defaultText} | ${reload === "live" ? "*live*" : "restart"} | ${word} | ${variable} |`;
}
