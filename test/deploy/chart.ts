/** The chart, rendered: its values, with those that somebody gives laid over them, put into its templates. */
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parse, parseAllDocuments } from "yaml";
import { render } from "./go-template.ts";

export const DEPLOY = fileURLToPath(new URL("../../deploy/", import.meta.url));
const CHART = `${DEPLOY}helm/poplin/`;
const NAMESPACE = "kube-poplin";

type Tree = Record<string, unknown>;

/** An object of Kubernetes', as a manifest has it. */
// biome-ignore lint/suspicious/noExplicitAny: a test reads what is expected to be there, and fails where it is not
export type Manifest = any;

export const chart = yaml("Chart.yaml");
export const values = yaml("values.yaml");
export const schema = JSON.parse(readFileSync(`${CHART}values.schema.json`, "utf8")) as Tree;

function yaml(name: string): Tree {
  return parse(readFileSync(CHART + name, "utf8")) as Tree;
}

/** @returns what one template makes of the values, laid over the defaults as Helm does it */
export function rendered(template: string, over: Tree = {}): string {
  const text = readFileSync(`${CHART}templates/${template}`, "utf8");
  const { appVersion: AppVersion, version: Version, name: Name } = chart;
  const Release = { Namespace: NAMESPACE, Name: "poplin" };
  return render(text, { Values: merged(values, over), Release, Chart: { AppVersion, Version, Name } });
}

/** @returns all templates' objects, one text */
export function manifest(over: Tree = {}): string {
  const templates = readdirSync(`${CHART}templates`).filter((name) => name.endsWith(".yaml"));
  return templates
    .sort()
    .map((name) => `---\n${rendered(name, over)}`)
    .join("");
}

/** @throws where it is no YAML */
export function objectsOf(text: string): Manifest[] {
  return parseAllDocuments(text).map((document) => {
    if (document.errors.length > 0) throw document.errors[0];
    return document.toJS();
  });
}

function merged(base: unknown, over: unknown): unknown {
  if (!isTree(base) || !isTree(over)) return over === undefined ? base : over;
  const names = new Set([...Object.keys(base), ...Object.keys(over)]);
  return Object.fromEntries([...names].map((name) => [name, merged(base[name], over[name])]));
}

function isTree(value: unknown): value is Tree {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}
