/**
 * Kubernetes' own model of its objects, as @kubernetes/client-node has it from the API's description, held to strictly: an
 * API server drops a field that it does not know, or refuses the object, and so a typing mistake would be a setting that
 * nobody has. Names, types, and from the declarations what has to be there.
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import * as client from "@kubernetes/client-node";

interface Attribute {
  readonly baseName: string;
  readonly type: string;
}

const MODELS = join(dirname(createRequire(import.meta.url).resolve("@kubernetes/client-node")), "gen/models");

/** @returns what is wrong with an object, a line each, with its place */
export function mistakes(object: { readonly apiVersion: string; readonly kind: string }): string[] {
  // "rbac.authorization.k8s.io/v1" and "v1" are V1 here.
  const version = object.apiVersion.split("/").at(-1)!;
  return wrong(object, version[0]!.toUpperCase() + version.slice(1) + object.kind, object.kind);
}

function wrong(value: unknown, type: string, place: string): string[] {
  const list = /^(?:Array|Set)<(.+)>$/.exec(type)?.[1];
  if (list !== undefined) {
    if (!Array.isArray(value)) return [`${place} is no list`];
    return value.flatMap((one, i) => wrong(one, list, `${place}[${i}]`));
  }
  const map = /^\{ \[key: string\]: (.+); \}$/.exec(type)?.[1];
  if (map !== undefined) {
    return entriesOf(value, place, ([name, one]) => wrong(one, map, `${place}.${name}`));
  }
  const attributes = attributesOf(type);
  if (attributes === null)
    return isA(value, type) ? [] : [`${place} is no ${type}: ${JSON.stringify(value)}`];
  const missing = requiredOf(type).filter((name) => Object(value)[name] === undefined);
  return [
    ...missing.map((name) => `${place} has no ${name}`),
    ...entriesOf(value, place, ([name, one]) => {
      const known = attributes.find(({ baseName }) => baseName === name);
      return known === undefined
        ? [`${place} has no field ${name} (${type})`]
        : wrong(one, known.type, `${place}.${name}`);
    }),
  ];
}

function entriesOf(value: unknown, place: string, look: (entry: [string, unknown]) => string[]): string[] {
  if (value === null || typeof value !== "object" || Array.isArray(value)) return [`${place} is no object`];
  return Object.entries(value).flatMap(look);
}

/** Null for what is no class of the model. */
function attributesOf(type: string): readonly Attribute[] | null {
  const found = (client as Record<string, unknown>)[type] as
    | { getAttributeTypeMap?(): Attribute[] }
    | undefined;
  return found?.getAttributeTypeMap?.() ?? null;
}

function requiredOf(type: string): string[] {
  const declaration = readFileSync(join(MODELS, `${type}.d.ts`), "utf8");
  return [...declaration.matchAll(/^ {4}'(\w+)': /gm)].map(([, name]) => name!);
}

function isA(value: unknown, type: string): boolean {
  if (type === "IntOrString") return typeof value === "string" || Number.isInteger(value);
  // A quantity: "100m", "128Mi".
  if (type === "string" || type === "number" || type === "boolean") return typeof value === type;
  throw new Error(`a type that this test does not know: ${type}`);
}
