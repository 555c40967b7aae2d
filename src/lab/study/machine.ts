/**
 * A host that is more than a namespace of the network: it has processes, a name and a few directories of its own, as the
 * node of a kind cluster has. Its first process sets that up and then does nothing; whoever runs something here joins it.
 *
 *   net     the lab's namespace, as of every host
 *   pid     what runs here is numbered from 1, and `pgrep` finds nothing of other nodes
 *   uts     the prompt says where one is
 *   mnt     /run of its own, so /run/flannel and /run/xtables.lock; /etc/cni, /opt/cni, /var/lib/cni and those in OWN;
 *           /etc, /opt, /root and /var/lib are the machine's until somebody writes there
 *
 * What is written in these lies in a tmpfs that the mount namespace alone holds: with the last process it is gone. All
 * other directories are the machine's.
 */
import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync } from "node:fs";
import { outputOf } from "../../host/output.ts";
import { LabError } from "../errors.ts";
import { Host } from "../host.ts";
import type { Lab } from "../lab.ts";
import { type Owner, startTime } from "../owner.ts";

/** The machine's directories of which the node has its own version. */
const OVERLAID = ["/etc", "/opt", "/root", "/var/lib"];
/** Those of which it sees nothing of the machine's. Each lies in one of OVERLAID. */
const OWN = ["/etc/cni", "/etc/kube-flannel", "/opt/cni", "/opt/poplin", "/var/lib/cni"];

export interface MachineOptions {
  /** The machine's directories that the node shares, by the place under /run where it has them. */
  readonly shared?: Readonly<Record<string, string>>;
}

/** Its first process, by which it is entered: as the machine around it knows it. */
export type MachineInit = Owner;

/** Words that run a command there. In the session that it is called from: at a terminal, job control works. */
export function enterMachine({ pid }: MachineInit): string[] {
  return ["nsenter", "--target", String(pid), "--mount", "--uts", "--net", "--pid", "--wd=/"];
}

/** Where the machine around it finds a file of its. */
export function pathOn({ pid }: MachineInit, file: string): string {
  return `/proc/${pid}/root${file}`;
}

export class Machine extends Host {
  readonly init: MachineInit;

  /** Makes a host of the lab's a machine. @throws LabError LAB_UNAVAILABLE where the kernel refuses */
  static async boot(lab: Lab, host: Host, options: MachineOptions = {}): Promise<Machine> {
    const room = lab.file(`${host.name}.room`);
    mkdirSync(room);
    const script = bootScript(host.name, room, options);
    const words = ["--mount", "--uts", "--pid", "--fork", "--propagation", "unchanged", "sh", "-ec", script];
    const child = host.spawn("unshare", words, { detached: true, stdio: ["ignore", "pipe", "pipe"] });
    const output = outputOf(child);
    // It says its pid when it is set up, in one write, and goes on; or it complains and ends.
    await Promise.race([once(child.stdout!, "data"), once(child, "close")]);
    for (const stream of [child.stdout!, child.stderr!]) stream.destroy();
    child.unref();
    const pid = Number(output.stdout);
    if (pid > 0) return new Machine(host, { pid, start: startTime(pid) ?? "" });
    throw new LabError(
      "LAB_UNAVAILABLE",
      `${host.name} cannot have directories and processes of its own: ${output.stderr.trim()}`,
      "a node needs the right to mount, and overlayfs: a container has to be privileged",
    );
  }

  private constructor(host: Host, init: MachineInit) {
    super(host.name, host.namespace);
    this.init = init;
  }

  /** As on every host, but that the child is `nsenter`, which waits for the command. Who kills it kills the command. */
  override spawn(command: string, args: readonly string[] = [], options: SpawnOptions = {}): ChildProcess {
    const [enter, ...words] = enterMachine(this.init);
    return spawn(enter!, [...words, "setpriv", "--pdeathsig", "KILL", command, ...args], options);
  }

  override path(file: string): string {
    return pathOn(this.init, file);
  }

  override pidOf({ pid }: ChildProcess): number | undefined {
    try {
      const [command] = readFileSync(`/proc/${pid}/task/${pid}/children`, "latin1").split(" ");
      // "NSpid: 4711 23": by each namespace's count, the innermost last (proc(5)).
      const [, pids] = /^NSpid:\s*(.*)$/m.exec(readFileSync(`/proc/${command}/status`, "latin1"))!;
      return Number(pids!.split(/\s+/).at(-1));
    } catch {
      return undefined;
    }
  }
}

/** What the first process is afterwards. It is the parent of whoever has lost his: `wait` is what buries them. */
const INIT = "/opt/poplin/init";
const INIT_SCRIPT = "while :; do sleep 2147483 & wait $!; done";

/** What the first process does. /proc is still the machine's when it asks for its pid. */
function bootScript(name: string, room: string, { shared = {} }: MachineOptions): string {
  const own = (kind: string, directory: string): string => `'${room}/${kind}${directory}'`;
  const overlay = (directory: string): string[] => {
    const [upper, work] = [own("upper", directory), own("work", directory)];
    const options = `lowerdir=${directory},upperdir=${upper},workdir=${work}`;
    return [`mkdir -p ${upper} ${work}`, `mount -t overlay overlay -o ${options} ${directory}`];
  };
  const bind = (directory: string): string[] => {
    const from = own("own", directory);
    return [`mkdir -p ${from} ${directory}`, `mount --bind ${from} ${directory}`];
  };
  const share = ([place, directory]: [string, string]): string[] => [
    `mkdir -p ${own("", place)}`,
    `mount --bind '${directory}' ${own("", place)}`,
  ];
  return [
    "read -r pid rest < /proc/self/stat",
    `hostname ${name}`,
    `mount -t tmpfs -o mode=755 tmpfs '${room}'`,
    ...OVERLAID.flatMap(overlay),
    ...OWN.flatMap(bind),
    // Pods are namespaces with names, which a runtime and `ip netns` look for here.
    `mkdir -p ${["netns", "flannel", "poplin"].map((name) => own("", `/run/${name}`)).join(" ")}`,
    `mount --rbind /run/netns ${own("", "/run/netns")}`,
    `touch ${own("", "/run/xtables.lock")}`,
    ...Object.entries(shared).flatMap(share),
    `mount --rbind '${room}/run' /run`,
    "mount -t proc proc /proc",
    `cat > ${INIT} <<'END'\n${INIT_SCRIPT}\nEND`,
    "echo $pid",
    `exec sh ${INIT} < /dev/null > /dev/null 2>&1`,
  ].join("\n");
}
