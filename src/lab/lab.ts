/**
 * A lab: throw-away hosts on this machine, each a network namespace `poplin-<id>-<name>`, and cables between them.
 * Nothing of it is in the machine's own namespace, and nothing of it outlives its owner:
 *
 *   destroy()                        whoever made it, when done
 *   exit, SIGINT, SIGTERM, SIGHUP    handlers installed with the first lab, removed with the last
 *   kill -9, power cut               the next lab's start sweeps up what has no living owner
 */
import { join } from "node:path";
import { LabError } from "./errors.ts";
import { Host } from "./host.ts";
import { addNamespace } from "./netns.ts";
import { demolish, folderOf, type LabRecord, namespaceOf, register, save, sweep } from "./registry.ts";

/** One end of a cable. */
export interface CableEnd {
  readonly host: Host;
  /** The interface's name there, at most 15 characters. */
  readonly name: string;
}

export class Lab {
  readonly id: string;
  readonly #hosts = new Map<string, Host>();
  #record: LabRecord;
  #destroyed = false;

  /**
   * Sweeps up what dead owners left, then starts an empty lab.
   * @param name as `poplin lab` calls it
   * @throws LabError LAB_UNAVAILABLE without root
   */
  static create(name: string | null = null): Lab {
    if (process.getuid?.() !== 0) {
      throw new LabError("LAB_UNAVAILABLE", "network namespaces need root", "run it with sudo");
    }
    sweep();
    return new Lab(register(name));
  }

  private constructor(record: LabRecord) {
    this.id = record.id;
    this.#record = record;
    watch(this);
  }

  /** Adds a host. @param name letters, digits and dashes */
  addHost(name: string): Host {
    const host = new Host(name, namespaceOf(this.id, name));
    addNamespace(host.namespace);
    // Without duplicate address detection IPv6 works at once instead of after two seconds.
    host.sysctl6({ "conf/default/accept_dad": 0, "conf/default/dad_transmits": 0 });
    this.#hosts.set(name, host);
    return host;
  }

  /** @throws LabError LAB_UNKNOWN */
  host(name: string): Host {
    const host = this.#hosts.get(name);
    if (host === undefined) throw new LabError("LAB_UNKNOWN", `there is no host "${name}" in lab ${this.id}`);
    return host;
  }

  get hosts(): readonly Host[] {
    return [...this.#hosts.values()];
  }

  /** Lays a cable (a veth pair) between two hosts and switches both ends on. */
  cable(a: CableEnd, b: CableEnd, mtu = 1500): void {
    a.host.ip(
      `link add ${a.name} mtu ${mtu} type veth peer name ${b.name} mtu ${mtu} netns ${b.host.namespace}`,
      `link set ${a.name} up`,
    );
    b.host.ip(`link set ${b.name} up`);
  }

  /** Path of a file of this lab's, removed with it. */
  file(name: string): string {
    return join(folderOf(this.id), name);
  }

  /** From now on the lab outlives this process; `poplin demo --down ID` and `poplin lab down` take it down. */
  keep(): void {
    this.#record = { ...this.#record, kept: true };
    save(this.#record);
    unwatch(this);
  }

  /** Ends every process in it and removes everything. Safe to call twice. */
  destroy(): void {
    if (this.#destroyed) return;
    demolish(this.id);
    this.#destroyed = true;
    unwatch(this);
  }
}

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
const live = new Set<Lab>();

function watch(lab: Lab): void {
  if (live.size === 0) {
    process.on("exit", destroyAll);
    for (const signal of SIGNALS) process.on(signal, destroyAndDie);
  }
  live.add(lab);
}

function unwatch(lab: Lab): void {
  live.delete(lab);
  if (live.size > 0) return;
  process.off("exit", destroyAll);
  for (const signal of SIGNALS) process.off(signal, destroyAndDie);
}

function destroyAll(): void {
  for (const lab of live) {
    try {
      lab.destroy();
    } catch (error) {
      // The others still have to go; the next start tries this one again.
      console.error(`lab ${lab.id} could not be taken down: ${(error as Error).message}`);
    }
  }
}

/** Ends as the signal would have ended us, so that whoever waits sees an interruption. */
function destroyAndDie(signal: NodeJS.Signals): void {
  destroyAll();
  for (const name of SIGNALS) process.off(name, destroyAndDie);
  process.kill(process.pid, signal);
}
