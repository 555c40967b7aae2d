/** The renderer does what Go's text/template does with Sprig's functions: the texts here are what those made of them. */
import { describe, expect, it } from "vitest";
import { render } from "./go-template.ts";

const SCOPE = {
  Values: { port: 8081, empty: "", none: {}, list: ["b", "a"], map: { z: "yes", a: { k: 1 } } },
};

describe("a template", () => {
  it.each([
    ["a {{ .Values.port }} b", "a 8081 b"],
    ["a\n  {{- .Values.port }}\nb", "a8081\nb"],
    ["a {{ .Values.port -}} \n b", "a 8081b"],
    ["{{ if .Values.none }}x{{ else }}y{{ end }}", "y"],
    ["{{ if .Values.list }}x{{ if .Values.empty }}y{{ end }}z{{ end }}", "xz"],
    ['{{ if ne .Values.empty "0.0.0.0" }}x{{ end }}', "x"],
    ['{{ .Values.empty | default "d" }}', "d"],
    ["{{ .Values.port | quote }}", '"8081"'],
    ["m:\n  {{- toYaml .Values.map | nindent 2 }}", 'm:\n  a:\n    k: 1\n  z: "yes"'],
    ["{{ .Values.list | toPrettyJson }}", '[\n  "b",\n  "a"\n]'],
  ])("%j", (template, text) => {
    expect(render(template, SCOPE)).toBe(text);
  });

  it.each([
    ["{{ .Values.prot }}", "there is no .Values.prot"],
    ["{{ upper .Values.empty }}", 'no function "upper"'],
    ["{{ range .Values.list }}x{{ end }}", '"end" where nothing is open'],
    ["{{ if eq .Values.port 8081 }}x{{ end }}", "only strings are compared"],
    ["{{ if .Values.port }}x", '"if .Values.port" has no end'],
    ["{{ $x }}", '"$x" is not understood'],
    ["x{{ end }}", '"end" where nothing is open'],
  ])("%j is refused", (template, why) => {
    expect(() => render(template, SCOPE)).toThrow(why);
  });
});
