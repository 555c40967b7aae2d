/** The house as ARCHITECTURE.md draws it: imports point down, and where a room knows less than its floor allows. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type Import, importsOf, ROOT, roomOf, withoutComments } from "./helpers/imports.ts";

/** Rooms and their floors, from the table in ARCHITECTURE.md: "| 3 | `src/io/` | …". */
const FLOORS = new Map(
  [...readFileSync(join(ROOT, "ARCHITECTURE.md"), "utf8").matchAll(/^\| (\d+) \| `src\/(\w+)\/` \|/gm)].map(
    ([, floor, room]) => [room!, Number(floor)] as const,
  ),
);

/** Rooms that know less than everything below them. Of io/, only the files named. */
const LESS: Readonly<Record<string, (file: string) => boolean>> = {
  control: (file) => ["wire", "fdb", "dataplane"].includes(roomOf(file)!),
  host: (file) => ["wire", "fdb", "dataplane"].includes(roomOf(file)!),
  stores: (file) => roomOf(file) === "control",
  cni: (file) => ["src/wire/bytes.ts", "src/host/subnet-env.ts"].includes(file),
  web: (file) =>
    ["wire", "teach"].includes(roomOf(file)!) || /^src\/io\/(pcapng|capture-reader)\.ts/.test(file),
  teach: (file) =>
    ["wire", "fdb", "dataplane"].includes(roomOf(file)!) ||
    /^src\/io\/(memory(\.ts|\/)|pcapng\.ts|capture-reader\.ts)/.test(file),
};

const imports = importsOf("src");
const inner = imports.filter((one) => !one.external);

function show({ from, to }: Import): string {
  return `${from} → ${to}`;
}

describe("import direction", () => {
  it("the imports are found at all", () => {
    expect(FLOORS.size).toBeGreaterThanOrEqual(10);
    expect(inner.length).toBeGreaterThan(100);
    expect(inner.filter(({ to }) => roomOf(to) === undefined && to !== "package.json").map(show)).toEqual([]);
  });

  it("ARCHITECTURE.md has a floor for every room", () => {
    const rooms = readdirSync(join(ROOT, "src"), { withFileTypes: true }).filter((entry) =>
      entry.isDirectory(),
    );
    expect(rooms.map(({ name }) => name).sort()).toEqual([...FLOORS.keys()].sort());
  });

  it("a file imports from its own room and from lower floors only", () => {
    const upwards = inner.filter(({ from, to }) => {
      const [here, there] = [roomOf(from)!, roomOf(to)!];
      return here !== there && FLOORS.get(there)! >= FLOORS.get(here)!;
    });
    expect(upwards.map(show)).toEqual([]);
  });

  it("control, host, stores, cni, teach and web know less than their floor allows", () => {
    const curious = inner.filter(({ from, to }) => {
      const here = roomOf(from)!;
      return here !== roomOf(to) && LESS[here] !== undefined && !LESS[here](to);
    });
    expect(curious.map(show)).toEqual([]);
  });

  it("no two files import each other, directly or in a circle", () => {
    expect(circles(inner.filter(({ from, to }) => from !== to))).toEqual([]);
  });
});

describe("what is pure", () => {
  const pure = ["wire", "fdb", "dataplane", "control", "teach"];

  it("wire imports nothing from outside", () => {
    const outside = imports.filter(
      ({ from, to, external }) => roomOf(from) === "wire" && (external || roomOf(to) !== "wire"),
    );
    expect(outside.map(show)).toEqual([]);
  });

  it("wire, fdb, dataplane, control and teach use nothing of Node's but what threads share", () => {
    const node = imports.filter(
      ({ from, to }) =>
        pure.includes(roomOf(from)!) && to.startsWith("node:") && !to.startsWith("node:worker_threads"),
    );
    expect(node.map(show)).toEqual([]);
  });

  it("doctor judges without looking: its checks and what follows packets through rules know no Node and no probe", () => {
    const judging = /^src\/doctor\/(checks\/|firewall\/|table|check|evidence|ping\/(layers|evidence|target))/;
    const looking = imports
      .filter(({ from }) => judging.test(from))
      .filter(
        ({ from, to }) =>
          to.startsWith("node:") || (/^src\/(doctor\/gather|io|host)\//.test(to) && !isTypeOnly(from, to)),
      );
    expect(imports.some(({ from }) => judging.test(from))).toBe(true);
    expect(looking.map(show)).toEqual([]);
  });

  it("wire uses no global of Node's", () => {
    const files = new Set(imports.map(({ from }) => from).filter((from) => roomOf(from) === "wire"));
    const using = [...files].filter((file) =>
      /\b(?:Buffer|process|__dirname|setImmediate)\b\s*[.([]/.test(
        withoutComments(readFileSync(join(ROOT, file), "utf8")),
      ),
    );
    expect(using).toEqual([]);
  });
});

describe("what the package needs", () => {
  const manifest = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as Record<
    string,
    Record<string, string>
  >;

  it("has six dependencies, and optional ones: two bound to a Node ABI, etcd's protocol, kubeconfigs", () => {
    expect(Object.keys(manifest.dependencies!).sort()).toEqual([
      "@bomb.sh/tab",
      "commander",
      "ip-num",
      "nanotar",
      "node-gyp-build",
      "pino",
      "prom-client",
      "yaml",
    ]);
    expect(Object.keys(manifest.optionalDependencies!).sort()).toEqual([
      "@kubernetes/client-node",
      "cap",
      "etcd3",
      "raw-socket",
    ]);
  });

  it("allows exactly those bound to an ABI to run scripts when they are installed", () => {
    // What protobufjs would run, which etcd3 brings, only compares versions.
    expect(manifest.allowScripts).toEqual({ cap: true, protobufjs: false, "raw-socket": true });
  });

  it("loads what writes JSON logs and metrics only where they are asked for", () => {
    const loading = (name: string) => imports.filter(({ to }) => to === name).map(({ from }) => from);
    // A static import there, of a module that is imported when somebody asks for the first time.
    expect(loading("prom-client")).toEqual(["src/agent/metrics/metrics.ts"]);
    const metrics = imports.filter(({ to }) => to === "src/agent/metrics/metrics.ts").map(({ from }) => from);
    expect([...new Set(metrics)]).toEqual(["src/agent/view.ts"]);
    const view = readFileSync(join(ROOT, "src/agent/view.ts"), "utf8");
    expect(view).toMatch(
      /await import\("\.\/metrics\/metrics\.ts"\)|import\("\.\/metrics\/metrics\.ts"\)\.then/,
    );
    expect(view).not.toMatch(/^import (?!type)[^;]*metrics\/metrics/m);
    const formats = readFileSync(join(ROOT, "src/agent/logging/formats.ts"), "utf8");
    expect(formats).not.toMatch(/^import (?!type)[^;]*"pino"/m);
  });

  it("loads etcd3 only when an etcd store is opened: no file imports it but as a type", () => {
    const loading = imports
      .filter(({ to }) => to === "etcd3")
      .map(({ from }) => from)
      .filter((file) => /^import (?!type)[^;]*from "etcd3"/m.test(readFileSync(join(ROOT, file), "utf8")));
    expect(loading).toEqual([]);
  });

  it("imports nothing else", () => {
    const packages = imports
      // The page is built into one file: what it needs is in it.
      .filter(({ from, to, external }) => external && !to.startsWith("node:") && roomOf(from) !== "web")
      .map(({ to }) => (to.startsWith("@") ? to.split("/").slice(0, 2).join("/") : to.split("/")[0]!));
    const declared = [...Object.keys(manifest.dependencies!), ...Object.keys(manifest.optionalDependencies!)];
    expect([...new Set(packages)].filter((name) => !declared.includes(name))).toEqual([]);
  });
});

/** Whether a file takes no more than types from another one. */
function isTypeOnly(from: string, to: string): boolean {
  const name = to.split("/").at(-1)!.replaceAll(".", "\\.");
  const text = readFileSync(join(ROOT, from), "utf8");
  return !new RegExp(`^import (?!type)[^;]*/${name}"`, "m").test(text);
}

/** Circles of files that import each other, each once, as "a → b → a". Type imports count: they tangle readers too. */
function circles(edges: readonly Import[]): string[] {
  const next = new Map<string, string[]>();
  for (const { from, to } of edges) next.set(from, [...(next.get(from) ?? []), to]);
  const done = new Set<string>();
  const found: string[] = [];
  const visit = (file: string, path: readonly string[]): void => {
    const at = path.indexOf(file);
    if (at >= 0) found.push([...path.slice(at), file].join(" → "));
    if (at >= 0 || done.has(file)) return;
    for (const to of next.get(file) ?? []) visit(to, [...path, file]);
    done.add(file);
  };
  for (const file of next.keys()) visit(file, []);
  return found;
}
