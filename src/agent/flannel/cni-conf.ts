/**
 * --write-cni-conf: a network configuration for container runtimes beside subnet.env. A file of that name that is not
 * poplin's stays as it is: `10-flannel.conflist` may be flannel's own, or what an operator has made of ours.
 */
import { readFile, rm } from "node:fs/promises";
import { formatConflist, isOurConflist } from "../../cni/conflist.ts";
import { parsePodNetwork } from "../../cni/pod-network.ts";
import { HostError } from "../../host/command.ts";
import { formatSubnetEnv, type SubnetEnv } from "../../host/subnet-env.ts";
import { fileError, writeWhole } from "../../host/whole-file.ts";
import type { Duty } from "./upkeep.ts";

const FLAG = "--write-cni-conf";

/** Keeps the file as it should be. @param env what subnet.env says */
export function cniConfDuty(path: string, env: SubnetEnv): Duty {
  // By way of the text: what flannel's plugin would make of the same file.
  const text = formatConflist(parsePodNetwork(formatSubnetEnv(env), "subnet.env"));
  const ensure = async (): Promise<string[]> => {
    const there = await read(path);
    if (there === text) return [];
    if (there !== null && !isOurConflist(there)) throw foreign(path);
    await writeWhole(path, text, FLAG);
    return [`${path} written`];
  };
  return { what: "the container runtimes' network configuration", ensure };
}

/** Removes the file if it is ours. @returns whether it was there and is gone @throws HostError */
export async function removeCniConf(path: string): Promise<boolean> {
  const there = await read(path);
  if (there === null || !isOurConflist(there)) return false;
  await rm(path, { force: true });
  return true;
}

async function read(path: string): Promise<string | null> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw fileError(path, "read", FLAG, error);
  }
}

function foreign(path: string): HostError {
  return new HostError(
    "HOST_FILE",
    `${path} is not poplin's, and is left as it is`,
    `remove it, or choose another name with ${FLAG}: of several files in a directory runtimes take the first by name`,
  );
}
