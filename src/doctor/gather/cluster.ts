/** What belongs to a node of a flannel cluster beside its overlay: its lease, its files, and whoever else is flanneld. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { ApiClient } from "../../agent/api/client.ts";
import type { AgentStatus } from "../../agent/api/status-types.ts";
import { isOurConflist } from "../../cni/conflist.ts";
import { parseSubnetEnv, readSubnetEnv } from "../../host/subnet-env.ts";
import { processesCalled } from "../../io/linux/holders.ts";
import type { ClusterEvidence } from "../evidence.ts";
import { attempt } from "./attempt.ts";

/** @param cniFolder where the container runtime reads its network's configuration */
export async function lookAtCluster(
  client: ApiClient,
  { cluster, pid }: AgentStatus,
  cniFolder: string,
): Promise<ClusterEvidence | null> {
  if (cluster === null) return null;
  const { subnetFile } = cluster;
  let families: Pick<ClusterEvidence["file"], "ipv4" | "ipv6"> = { ipv4: null, ipv6: null };
  let mtu: number | null = null;
  const read = await attempt(async () => {
    const variables = parseSubnetEnv(readFileSync(subnetFile, "utf8"));
    mtu = Number(variables.get("FLANNEL_MTU")) || null;
    families = await readSubnetEnv(subnetFile);
  });
  const leases = await client.leases();
  const bad = leases.flatMap(({ key, own, problem }) => (problem === null ? [] : [{ key, own, problem }]));
  const flannelds = processesCalled("flanneld").filter((one) => one.pid !== pid);
  return { subnetFile, file: { ...read, ...families, mtu }, bad, flannelds, cni: lookAtCni(cniFolder) };
}

/** What a runtime reads: libcni takes these endings, the first name in the alphabet counts. */
const CONFIGURATION = /\.(conf|conflist|json)$/;

function lookAtCni(folder: string): ClusterEvidence["cni"] {
  try {
    const files = readdirSync(folder)
      .filter((name) => CONFIGURATION.test(name))
      .sort();
    const flannel = files.some((name) => isOfFlannel(readFileSync(join(folder, name), "utf8")));
    return { folder, files, flannel };
  } catch {
    return null;
  }
}

/** A configuration that names flannel's plugin, or one in which --write-cni-conf has said what that plugin would. */
export function isOfFlannel(text: string): boolean {
  return /"type"\s*:\s*"flannel"/.test(text) || isOurConflist(text);
}
