/** JSON Schema as far as the chart's values.schema.json uses it; a word of it that is not here is an error. */
type Schema = Readonly<Record<string, unknown>>;

const TYPES: Readonly<Record<string, (value: unknown) => boolean>> = {
  object: (value) => value !== null && typeof value === "object" && !Array.isArray(value),
  array: Array.isArray,
  string: (value) => typeof value === "string",
  boolean: (value) => typeof value === "boolean",
  integer: Number.isInteger,
};

/** What each keyword finds wrong with a value. */
const KEYWORDS: Readonly<
  Record<string, (rule: never, value: never, place: string, schema: Schema) => string[]>
> = {
  $schema: () => [],
  title: () => [],
  type: (rule: string | string[], value: unknown, place) =>
    [rule].flat().some((type) => TYPES[type]!(value)) ? [] : [`${place} is no ${rule}`],
  enum: (rule: unknown[], value: unknown, place) =>
    rule.includes(value) ? [] : [`${place} is none of ${rule}`],
  minimum: (rule: number, value: number, place) => (value < rule ? [`${place} is below ${rule}`] : []),
  maximum: (rule: number, value: number, place) => (value > rule ? [`${place} is above ${rule}`] : []),
  minLength: (rule: number, value: string, place) => (value.length < rule ? [`${place} is too short`] : []),
  pattern: (rule: string, value: string, place) =>
    new RegExp(rule).test(value) ? [] : [`${place} is no ${rule}`],
  required: (rule: string[], value: object, place) =>
    rule.filter((name) => !Object.hasOwn(value, name)).map((name) => `${place} has no ${name}`),
  items: (rule: Schema, value: unknown[], place) =>
    value.flatMap((one, i) => violations(rule, one, `${place}[${i}]`)),
  properties: (rule: Record<string, Schema>, value: Record<string, unknown>, place) =>
    Object.entries(rule).flatMap(([name, inner]) =>
      Object.hasOwn(value, name) ? violations(inner, value[name], `${place}.${name}`) : [],
    ),
  additionalProperties: (rule: false | Schema, value: Record<string, unknown>, place, { properties = {} }) =>
    Object.keys(value)
      .filter((name) => !Object.hasOwn(properties as object, name))
      .flatMap((name) =>
        rule === false ? [`${place} has no ${name}`] : violations(rule, value[name], `${place}.${name}`),
      ),
};

/** @returns what a value violates, a line each */
export function violations(schema: Schema, value: unknown, place = "values"): string[] {
  if (schema.type !== undefined) {
    const mistyped = KEYWORDS.type!(schema.type as never, value as never, place, schema);
    if (mistyped.length > 0) return mistyped;
  }
  return Object.entries(schema).flatMap(([word, rule]) => {
    const keyword = KEYWORDS[word];
    if (keyword === undefined) throw new Error(`a word of JSON Schema that this test does not know: ${word}`);
    return keyword(rule as never, value as never, place, schema);
  });
}
