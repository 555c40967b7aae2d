/** How a node joins, and when it does not go on: over a store in a directory, without a device. */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join as joinPath } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { loadConfig } from "../../../src/agent/config/load.ts";
import { type JoinParts, join, publish, reachAgain } from "../../../src/agent/flannel/join.ts";
import { FlannelNode } from "../../../src/agent/flannel/node.ts";
import { Interrupted } from "../../../src/agent/flannel/patience.ts";
import { Log } from "../../../src/agent/log.ts";
import { StoreMeter } from "../../../src/agent/metrics/histogram.ts";
import type { PublicIp } from "../../../src/host/public-ip.ts";
import { FileStore } from "../../../src/stores/file/store.ts";
import { LeaseLost } from "../../../src/stores/store.ts";
import { until } from "../../helpers/until.ts";

const CONF = '{"Network": "10.244.0.0/16", "Backend": {"Type": "vxlan", "VNI": 7654321}}';

let folder: string;
let ending: AbortController;
beforeEach(async () => {
  folder = await mkdtemp(joinPath(tmpdir(), "poplin-join-"));
  await mkdir(joinPath(folder, "subnets"));
  await writeFile(joinPath(folder, "config"), CONF);
  ending = new AbortController();
});
afterEach(async () => {
  ending.abort();
  await rm(folder, { recursive: true, force: true });
});

function reachedAt(address: string): PublicIp {
  return { device: "lo", mtu: 1500, ipv4: { address, publicIp: address }, ipv6: null };
}

function partsOf(store: FileStore, address: string): JoinParts {
  const log = new Log("error", () => {});
  return { store, log, signal: ending.signal, previous: null, reach: async () => reachedAt(address) };
}

describe("a node that is reached in another way", () => {
  it("keeps its subnets and MACs", async () => {
    const store = new FileStore({ directory: folder });
    const first = await join(partsOf(store, "192.0.2.1"));
    expect(await reachAgain(partsOf(store, "192.0.2.1"), first)).toBe(null);
    const second = (await reachAgain(partsOf(store, "192.0.2.2"), first))!;
    expect([second.macs, second.lease]).toEqual([first.macs, first.lease]);
    const lease = await publish(store, second);
    expect(lease.subnets).toEqual(first.lease.subnets);
    expect(lease.attributes).toEqual({ ...first.lease.attributes, publicIp: "192.0.2.2" });
    await store.close();
  });

  it("has lost its lease where the store gives it other subnets: its pods have addresses of the old ones", async () => {
    const store = new FileStore({ directory: folder });
    const first = await join(partsOf(store, "192.0.2.1"));
    const { key } = first.lease;
    await rm(joinPath(folder, "subnets", key));
    await writeFile(
      joinPath(folder, "subnets", key),
      '{"PublicIP":"192.0.2.9","PublicIPv6":null,"BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"02:00:00:00:00:09"}}',
    );
    const failing = publish(store, (await reachAgain(partsOf(store, "192.0.2.2"), first))!);
    await expect(failing).rejects.toBeInstanceOf(LeaseLost);
    await expect(failing).rejects.toThrow(`our subnets ${key} are not to be had any more`);
    await store.close();
  });
});

/** A store whose watchers hear nothing, as where an API server takes its time for a list. */
class SilentStore extends FileStore {
  watched = false;

  override watch(): void {
    this.watched = true;
  }
}

describe("a node that has not heard of the others yet", () => {
  it("makes no device, and takes nobody's rows away; told to end, it ends", async () => {
    const store = new SilentStore({ directory: folder });
    const { log } = partsOf(store, "192.0.2.1");
    let up = false;
    const starting = FlannelNode.start({
      ...partsOf(store, "192.0.2.1"),
      log,
      settings: () => loadConfig({ profile: "flannel", env: {}, path: null }),
      up: () => {
        up = true;
      },
      meter: new StoreMeter("file"),
      host: {
        subnetFile: joinPath(folder, "subnet.env"),
        cniConf: "",
        ...{ masquerade: false, randomFully: false, forwardRules: false, blackhole: false, resync: 5 },
      },
    });
    await until("it watches", () => store.watched);
    ending.abort();
    await expect(starting).rejects.toBeInstanceOf(Interrupted);
    expect(up).toBe(false);
  });
});
