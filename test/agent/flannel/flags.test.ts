import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { FlagRow } from "../../../src/agent/flannel/flag-table.ts";
import {
  environmentOf,
  FLANNELD_FLAGS,
  type FlanneldFlag,
  type FlanneldFlags,
  parseFlanneldFlags,
} from "../../../src/agent/flannel/flags.ts";
import { flagsHelp } from "../../../src/agent/flannel/flags-help.ts";

const SEED = 20_26;
const ALL = Object.keys(FLANNELD_FLAGS) as FlanneldFlag[];

/** What a line gives beside the defaults. @throws where it has a mistake */
function given(line: string, env: Record<string, string> = {}): Partial<FlanneldFlags> {
  const { flags, given: which, problems } = parseFlanneldFlags(line.split(" ").filter(Boolean), env);
  expect(problems).toEqual([]);
  return Object.fromEntries([...which].map((flag) => [flag, flags[flag]]));
}

function problemsOf(line: string, env: Record<string, string> = {}): string[] {
  const { problems } = parseFlanneldFlags(line.split(" ").filter(Boolean), env);
  return problems.map(({ message, hint }) => `${message} → ${hint}`);
}

describe("flanneld's flags", () => {
  it("have flanneld's names and defaults", () => {
    const { flags, given: which } = parseFlanneldFlags([], {});
    expect(which.size).toBe(0);
    expect(flags).toEqual({
      "etcd-endpoints": "http://127.0.0.1:4001,http://127.0.0.1:2379",
      "etcd-prefix": "/coreos.com/network",
      "etcd-keyfile": "",
      "etcd-certfile": "",
      "etcd-cafile": "",
      "etcd-username": "",
      "etcd-password": "",
      iface: [],
      "iface-regex": [],
      "iface-can-reach": "",
      "subnet-file": "/run/flannel/subnet.env",
      "public-ip": "",
      "public-ipv6": "",
      "subnet-lease-renew-margin": 60,
      "ip-masq": false,
      "ip-masq-fully-random-disable": false,
      "kube-subnet-mgr": false,
      "kube-api-url": "",
      "kube-annotation-prefix": "flannel.alpha.coreos.com",
      "kubeconfig-file": "",
      version: false,
      "healthz-ip": "0.0.0.0",
      "healthz-port": 0,
      "iptables-resync": 5,
      "iptables-forward-rules": true,
      "ip-blackhole-route": false,
      "net-config-path": "/etc/kube-flannel/net-conf.json",
      "set-node-network-unavailable": true,
      v: 0,
      vmodule: "",
      log_backtrace_at: "",
      "lease-dir": "",
      "write-cni-conf": "",
      config: "",
    });
  });

  it("are those of the official DaemonSet", () => {
    expect(given("--ip-masq --kube-subnet-mgr --healthz-port=8081")).toEqual({
      "ip-masq": true,
      "kube-subnet-mgr": true,
      "healthz-port": 8081,
    });
  });

  it.each<[string, Partial<FlanneldFlags>]>([
    ["-v 10", { v: 10 }],
    ["-v=10", { v: 10 }],
    ["--v=10", { v: 10 }],
    ["--v 10", { v: 10 }],
    ["-v -1", { v: -1 }],
    ["-ip-masq", { "ip-masq": true }],
    ["--ip-masq=false", { "ip-masq": false }],
    ["--ip-masq=T --iptables-forward-rules=0", { "ip-masq": true, "iptables-forward-rules": false }],
    ["--ip-masq --ip-masq=FALSE", { "ip-masq": false }],
    ["--iface eth0 --iface=eth1 -iface 10.0.0.1", { iface: ["eth0", "eth1", "10.0.0.1"] }],
    ["--iface-regex=^a=b$", { "iface-regex": ["^a=b$"] }],
    ["--public-ip=", { "public-ip": "" }],
    ["--public-ip --ip-masq", { "public-ip": "--ip-masq" }],
    ["--subnet-file a --subnet-file b", { "subnet-file": "b" }],
    ["--kube-annotation-prefix=x/y", { "kube-annotation-prefix": "x/y" }],
    [
      "--vmodule=kube=4,etcd=2 --log_backtrace_at main.go:9",
      { vmodule: "kube=4,etcd=2", log_backtrace_at: "main.go:9" },
    ],
    ["--version", { version: true }],
    ["--ip-masq --", { "ip-masq": true }],
  ])("%s is read as Go reads it", (line, flags) => {
    expect(given(line)).toEqual(flags);
  });

  it.each([
    ["8081", 8081],
    ["+8081", 8081],
    ["0x1f91", 8081],
    ["0X1F_91", 8081],
    ["0b11", 3],
    ["0o17", 15],
    ["017", 15],
    ["8_081", 8081],
    ["-0", 0],
  ])("--healthz-port=%s is %i: numbers are written as in Go", (text, port) => {
    expect(given(`--healthz-port=${text}`)["healthz-port"]).toBe(port);
  });

  it("-v is decimal, as klog has it", () => {
    expect(given("-v=010").v).toBe(10);
    expect(problemsOf("-v=0x10")[0]).toMatch(/^-v: "0x10" is no whole number/);
  });

  it.each(["-h", "--help", "-help", "--h", "--help=x", "--ip-masq --help --nonsense"])(
    "%s asks for help",
    (line) => {
      const { help, problems } = parseFlanneldFlags(line.split(" "), {});
      expect({ help, problems }).toEqual({ help: true, problems: [] });
    },
  );

  it("--help as a value asks for nothing", () => {
    expect(parseFlanneldFlags(["--iface", "--help"], {}).help).toBe(false);
  });
});

describe("mistakes on the line", () => {
  it.each<[string, RegExp]>([
    ["--ip-mask", /^flanneld has no flag --ip-mask → did you mean `ip-masq`\?$/],
    ["-x", /^flanneld has no flag -x → settings of poplin's own go into --config FILE/],
    ["--nonsense value --ip-masq", /^flanneld has no flag --nonsense →/],
    ["--logtostderr=true", /^flanneld has no flag --logtostderr → flanneld logs to standard error alone/],
    ["--networks a,b", /has no flag --networks → flannel has given it up/],
    ["--windows-service", /has no flag --windows-service → it is for Windows/],
    ["--toString", /^flanneld has no flag --toString/],
    ["---v=1", /^"---v=1" is no flag → write --NAME or --NAME=VALUE$/],
    ["--=1", /^"--=1" is no flag/],
    ["-", /^"-" is no flag → leave it out/],
    ["--ip-masq true --kube-subnet-mgr", /^"true" is no flag → write --ip-masq=true, or leave it out$/],
    ["eth0", /^"eth0" is no flag → leave it out: flanneld takes flags alone/],
    ["-- --ip-masq", /^"--ip-masq" is no flag → leave it out/],
    ["--public-ip", /^--public-ip needs a value → write --public-ip=VALUE$/],
    ["-v", /^-v needs a value → write -v=VALUE$/],
    [
      "--ip-masq=yes",
      /^--ip-masq: "yes" is neither true nor false → write --ip-masq=true or --ip-masq=false$/,
    ],
    ["--ip-masq=", /^--ip-masq: "" is neither true nor false/],
    [
      "--healthz-port=http",
      /^--healthz-port: "http" is no whole number → write a whole number from 0 to 65535$/,
    ],
    ["--healthz-port=65536", /is out of the acceptable range → write a whole number from 0 to 65535$/],
    ["--healthz-port=8081.5", /is no whole number/],
    ["--healthz-port=1__0", /is no whole number/],
    ["--healthz-port=08", /is no whole number/],
    ["--healthz-port=0x", /is no whole number/],
    ["--iptables-resync=0", /^--iptables-resync: "0" is out of the acceptable range/],
    [
      "--subnet-lease-renew-margin=1440",
      /^--subnet-lease-renew-margin: "1440" is out of the acceptable range → write a whole number from 1 to 1439$/,
    ],
    [
      "--write-cni-conf=/etc/cni/net.d/x.conf",
      /^--write-cni-conf: "\/etc\/cni\/net.d\/x.conf" does not end in \.conflist → container runtimes read no /,
    ],
    ["--subnet-lease-renew-margin 0", /"0" is out of the acceptable range/],
    [`--healthz-port=${"9".repeat(400)}`, /is out of the acceptable range/],
  ])("%.50s", (line, problem) => {
    expect(problemsOf(line)).toEqual([expect.stringMatching(problem)]);
  });

  it.each([1, 60, 1439])("a margin of %i minutes is none", (minutes) => {
    expect(given(`--subnet-lease-renew-margin=${minutes}`)).toEqual({ "subnet-lease-renew-margin": minutes });
  });

  it("are told all at once", () => {
    expect(problemsOf("--ip-mask --healthz-port=x -v")).toHaveLength(3);
  });
});

describe("the environment", () => {
  it("names a flag in capitals, with _ for -", () => {
    expect(environmentOf("etcd-endpoints")).toBe("FLANNELD_ETCD_ENDPOINTS");
    expect(environmentOf("log_backtrace_at")).toBe("FLANNELD_LOG_BACKTRACE_AT");
    expect(environmentOf("v")).toBe("FLANNELD_V");
  });

  it("fills only what the line does not give", () => {
    const env = { FLANNELD_PUBLIC_IP: "10.0.0.9", FLANNELD_IP_MASQ: "true", FLANNELD_HEALTHZ_PORT: "9" };
    expect(given("--ip-masq=false --healthz-port=8081", env)).toEqual({
      "public-ip": "10.0.0.9",
      "ip-masq": false,
      "healthz-port": 8081,
    });
  });

  it("gives one entry of a list, whatever is in it, and none beside the line's", () => {
    expect(given("", { FLANNELD_IFACE: "eth0,eth1" })).toEqual({ iface: ["eth0,eth1"] });
    expect(given("--iface=eth2", { FLANNELD_IFACE: "eth0" })).toEqual({ iface: ["eth2"] });
  });

  it("counts as silent where a variable is empty", () => {
    expect(given("", { FLANNELD_IP_MASQ: "", FLANNELD_IFACE: "", FLANNELD_SUBNET_FILE: "" })).toEqual({});
  });

  it("is not asked for a version, nor for what is no flag", () => {
    const env = {
      FLANNELD_VERSION: "v0.28.9",
      FLANNELD_NONSENSE: "1",
      PUBLIC_IP: "10.0.0.9",
      NODE_NAME: "a",
    };
    expect(given("", env)).toEqual({});
  });

  it("has its mistakes told by the name of the variable", () => {
    expect(problemsOf("", { FLANNELD_IP_MASQ: "yes", FLANNELD_SUBNET_LEASE_RENEW_MARGIN: "1440" })).toEqual([
      expect.stringMatching(/^FLANNELD_SUBNET_LEASE_RENEW_MARGIN: "1440" is out of the acceptable range/),
      expect.stringMatching(
        /^FLANNELD_IP_MASQ: "yes" is neither true nor false → write FLANNELD_IP_MASQ=true/,
      ),
    ]);
  });
});

describe("any line", () => {
  const word = fc.oneof(
    fc.string({ maxLength: 12 }),
    fc.constantFrom(...ALL).chain((flag) => fc.constantFrom(`--${flag}`, `-${flag}=1`, `--${flag}=true`)),
    fc.constantFrom("-", "--", "1", "true", "--help"),
  );

  it("gives values of the right types, and never an error", () => {
    fc.assert(
      fc.property(fc.array(word, { maxLength: 8 }), (args) => {
        const { flags, given: which, help, problems } = parseFlanneldFlags(args, {});
        for (const flag of ALL) expect(typeof flags[flag]).toBe(typeof FLANNELD_FLAGS[flag].fallback);
        for (const { message, hint } of problems) expect([message, hint]).not.toContain("");
        if (args.length > 0)
          expect(which.size + problems.length + Number(help || args.includes("--"))).toBeGreaterThan(0);
      }),
      { seed: SEED, numRuns: 500 },
    );
  });

  it("gives back what was written with =, whatever it is", () => {
    const texts = ALL.filter((flag) => {
      const { fallback, ends }: FlagRow<unknown> = FLANNELD_FLAGS[flag];
      return typeof fallback === "string" && ends === undefined;
    });
    fc.assert(
      fc.property(
        fc.constantFrom(...texts),
        fc.string(),
        fc.constantFrom("-", "--"),
        (flag, value, dashes) => {
          expect(parseFlanneldFlags([`${dashes}${flag}=${value}`], {}).flags[flag]).toBe(value);
          expect(parseFlanneldFlags([`${dashes}${flag}`, value], {}).flags[flag]).toBe(value);
        },
      ),
      { seed: SEED },
    );
  });
});

describe("help", () => {
  const lines = flagsHelp().split("\n");

  it("fits a terminal of 80 columns", () => {
    for (const line of lines) expect(line.length, line).toBeLessThanOrEqual(80);
    expect(lines.filter((line) => line !== line.trimEnd())).toEqual([]);
  });

  it("has every flag once, with its default where that says something", () => {
    for (const flag of ALL) {
      const start = new RegExp(`^ {2}--?${flag}( |$)`);
      expect(
        lines.filter((line) => start.test(line)),
        flag,
      ).toHaveLength(1);
    }
    const text = flagsHelp().replace(/\s+/g, " ");
    expect(text).toContain("1 to 1439 (default: 60)");
    expect(text).toContain("accept pods' packets in FORWARD (default: true)");
    expect(text).toContain("(default: http://127.0.0.1:4001,http://127.0.0.1:2379)");
    expect(text).not.toMatch(/default: (false|\)|0\))/);
  });
});
