/** OS packages, found missing by looking for what they bring. Installed only as root and where there is apt-get. */
import { existsSync, readdirSync } from "node:fs";
import { gist, run, say, which } from "./run.mjs";

const program =
  (...names) =>
  () =>
    names.every((name) => which(name) !== undefined);

/** What may be needed: Debian's package, and how to see that what it brings is there. */
const PACKAGES = {
  "build-essential": program("cc", "c++", "make"),
  python3: program("python3"),
  "libpcap-dev": () => existsSync("/usr/include/pcap.h") || existsSync("/usr/local/include/pcap.h"),
  iproute2: program("ip"),
  "iputils-ping": program("ping"),
  iperf3: program("iperf3"),
  tcpdump: program("tcpdump"),
  tshark: program("tshark"),
  ethtool: program("ethtool"),
  iptables: program("iptables", "ip6tables"),
  nftables: program("nft"),
  openssl: program("openssl"),
  libfaketime: () =>
    readdirSync("/usr/lib").some((name) => existsSync(`/usr/lib/${name}/faketime/libfaketime.so.1`)),
  strace: program("strace"),
  systemd: program("systemd-analyze"),
  "bridge-utils": program("brctl"),
  conntrack: program("conntrack"),
  "net-tools": program("route"),
  procps: program("pgrep"),
  // The release compiles the shim for another processor; its C library's headers come as a recommendation.
  "gcc-aarch64-linux-gnu": program("aarch64-linux-gnu-gcc"),
  "libc6-dev-arm64-cross": () => existsSync("/usr/aarch64-linux-gnu/include/stdio.h"),
  // Not in PATH: container runtimes know where.
  "containernetworking-plugins": () => existsSync("/usr/lib/cni/bridge"),
  zsh: program("zsh"),
  fish: program("fish"),
  groff: program("groff"),
  "man-db": program("man"),
  "etcd-server": program("etcd"),
  "etcd-client": program("etcdctl"),
  // The page is tested in it.
  chromium: program("chromium"),
  // promtool comes with it: 19 MB to load, 96 MB on disk.
  prometheus: program("promtool"),
};

const LAB = ["iproute2", "iputils-ping", "iperf3"];
const TEST = [
  "python3",
  "ethtool",
  "tcpdump",
  "tshark",
  "iptables",
  "nftables",
  "openssl",
  "libfaketime",
  "containernetworking-plugins",
  // What the study looks at a node with.
  ...["bridge-utils", "conntrack", "net-tools", "procps"],
];
/** Whose completion is tested. */
const SHELLS = ["zsh", "fish"];
/** What manual pages are read with. */
const MANUAL = ["groff", "man-db"];
const BY_PURPOSE = {
  demo: LAB,
  // What other tunnels need, the bench names when they are missing: their packages start services of their own.
  bench: [...LAB, "ethtool"],
  test: [...LAB, ...TEST],
  // The packages of etcd and Prometheus start services: nothing for somebody's machine. Of systemd its analysers are wanted.
  ci: [
    ...LAB,
    ...[...TEST, ...SHELLS, ...MANUAL],
    ...["strace", "systemd", "gcc-aarch64-linux-gnu", "libc6-dev-arm64-cross"],
    ...["etcd-server", "etcd-client", "prometheus", "chromium"],
  ],
};

/** Whether the compiler and headers that optional dependencies want are there: when that changes, they get another try. */
export function toolchain() {
  return { compiler: PACKAGES["build-essential"](), pcap: PACKAGES["libpcap-dev"]() };
}

/**
 * @param {string | undefined} purpose
 * @param {() => { dependencies: boolean, shim: boolean }} toBuild what is about to be compiled
 */
export function systemStep(purpose, toBuild) {
  let tried = false;
  const missing = () => {
    const wanted = new Set(BY_PURPOSE[purpose] ?? []);
    const { dependencies, shim } = toBuild();
    if (dependencies || shim) for (const name of ["build-essential", "python3"]) wanted.add(name);
    if (dependencies) wanted.add("libpcap-dev");
    return [...wanted].filter((name) => !PACKAGES[name]());
  };
  const apt = process.platform === "linux" && process.getuid() === 0 ? which("apt-get") : undefined;
  return {
    due: () => apt !== undefined && !tried && missing().length > 0,
    async run() {
      tried = true;
      await install(apt, missing());
    },
    /** Where it cannot install: one line that says what to install. */
    advise() {
      if (apt !== undefined || process.platform !== "linux") return;
      const packages = missing();
      if (packages.length > 0) say(advice(packages));
    },
  };
}

function advice(packages) {
  const names = packages.join(", ");
  if (which("apt-get") === undefined) return `missing, please install (Debian's names): ${names}`;
  return `missing: ${names}; to install: apt-get install ${packages.join(" ")}   (needs root)`;
}

async function install(apt, packages) {
  say(`installing OS packages: ${packages.join(", ")}`);
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  // Another apt may be at work (unattended upgrades): wait for it instead of failing.
  const wait = ["-o", "DPkg::Lock::Timeout=300"];
  const update = await run(apt, [...wait, "update"], { env });
  const installed = await run(apt, [...wait, "install", "-y", "--no-install-recommends", ...packages], {
    env,
  });
  const still = packages.filter((name) => !PACKAGES[name]());
  if (still.length > 0) {
    say(
      `could not install ${still.join(", ")}; going on without. By hand: apt-get install ${still.join(" ")}`,
    );
    console.error(gist(installed.output + (update.ok ? "" : update.output)));
  }
}
