/**
 * Which capabilities a process holds (capabilities(7)), thread by thread: capset changes the calling thread alone, and
 * Node has a dozen of them. /proc shows them for every process, also to those without rights.
 */
import { readdirSync, readFileSync } from "node:fs";

/** In the order of their numbers (linux/capability.h). */
export const CAPABILITIES = [
  ...["CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP"],
  ...[
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
  ],
  ...[
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
  ],
  ...[
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
  ],
  ...["MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF"],
  "CHECKPOINT_RESTORE",
].map((name) => `CAP_${name}`);

/** What the kernel says of one thread. */
export interface ThreadRights {
  /** Thread id. */
  readonly tid: number;
  /** "node", "libuv-worker". */
  readonly name: string;
  /** User that the kernel takes it for (effective). */
  readonly uid: number;
  /** In use now. */
  readonly effective: readonly string[];
  /** What it may take into use. */
  readonly permitted: readonly string[];
  /** What programs that it runs get, also where they have none themselves. */
  readonly ambient: readonly string[];
  /** What it and its children can ever have. */
  readonly bounding: readonly string[];
  /** Programs that it runs get no more than it has (PR_SET_NO_NEW_PRIVS). */
  readonly noNewPrivileges: boolean;
}

/**
 * Every thread of a process; one that ends meanwhile is left out.
 * @throws Error `ENOENT` where there is no such process
 */
export function threadRights(pid: number | "self"): ThreadRights[] {
  return readdirSync(`/proc/${pid}/task`).flatMap((tid) => {
    try {
      return [parseRights(readFileSync(`/proc/${pid}/task/${tid}/status`, "utf8"))];
    } catch {
      return [];
    }
  });
}

/** @param text of /proc/<pid>/task/<tid>/status (proc_pid_status(5)) */
export function parseRights(text: string): ThreadRights {
  const fields = new Map(
    text.split("\n").map((line) => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon), line.slice(colon + 1).trim()] as const;
    }),
  );
  const set = (name: string): string[] => namesOf(fields.get(name) ?? "");
  return {
    tid: Number(fields.get("Pid")),
    name: fields.get("Name") ?? "",
    uid: Number(fields.get("Uid")?.split(/\s+/)[1]),
    effective: set("CapEff"),
    permitted: set("CapPrm"),
    ambient: set("CapAmb"),
    bounding: set("CapBnd"),
    noNewPrivileges: fields.get("NoNewPrivs") === "1",
  };
}

/** @param mask in hexadecimal, as /proc prints it. A capability that is newer than this list has a number for a name */
function namesOf(mask: string): string[] {
  const bits = BigInt(`0x${mask || "0"}`);
  return Array.from({ length: 64 }, (_, bit) => bit)
    .filter((bit) => (bits >> BigInt(bit)) & 1n)
    .map((bit) => CAPABILITIES[bit] ?? `CAP_${bit}`);
}
