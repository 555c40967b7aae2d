/** An AgentView with a real table behind it, and statuses that tests can bend. */
import type {
  AgentView,
  DeviceFdbReason,
  OfDevice,
  OverlayChoice,
  ToldEvent,
  Topic,
} from "../../../src/agent/api/agent-view.ts";
import type { StatsAnswer } from "../../../src/agent/api/answers.ts";
import type { LeaseStatus } from "../../../src/agent/api/cluster-types.ts";
import { AgentError } from "../../../src/agent/api/refusals.ts";
import { SCHEMA } from "../../../src/agent/api/schema.ts";
import type { AgentStatus } from "../../../src/agent/api/status-types.ts";
import type { Level } from "../../../src/agent/logging/formats.ts";
import { Counters, counterIndex, dropIndex } from "../../../src/dataplane/counters.ts";
import type { Lesson } from "../../../src/dataplane/lessons.ts";
import { OFFLOAD_NAMES, type OffloadName, SWITCHED_OFF } from "../../../src/dataplane/offloads.ts";
import type { FdbChange, FdbRow, NeighbourChange } from "../../../src/dataplane/options.ts";
import type { Neighbour } from "../../../src/fdb/neighbours.ts";

/** A healthy agent of two peers, as the study has it. */
export function healthyStatus(changes: Partial<AgentStatus> = {}): AgentStatus {
  const status: Omit<AgentStatus, "overlays" | "underlays"> = {
    schema: SCHEMA,
    version: "0.1.0",
    pid: 4711,
    startedAt: "2026-11-20T00:00:00.000Z",
    uptime: 3 * 86_400 + 4 * 3600 + 5,
    privileges: [{ capability: "CAP_NET_ADMIN", why: "makes the TAP" }],
    state: "running",
    device: {
      name: "flannel.1",
      mac: "0e:2a:11:22:33:44",
      mtu: 1450,
      vni: 1,
      addresses: ["10.244.1.0/32"],
    },
    underlay: {
      kind: "batch",
      family: 4,
      local: "0.0.0.0",
      port: 8472,
      uplink: "eth0",
      capabilities: {
        sendTos: true,
        recvTos: true,
        df: true,
        ttl: true,
        ttlPerPacket: true,
        flowLabel: false,
        acceptsNoCheck6: false,
        sourcePort: false,
        gso: false,
        gro: false,
        checksum: "computed",
      },
      receiveBuffer: 7_340_032,
      sendBuffer: 7_340_032,
      warnings: [],
    },
    policy: {
      senderCheck: "strict",
      reservedBits: "rfc",
      tos: "inherit",
      ttl: "auto",
      df: "unset",
      flowlabel: 0,
      udp6zerocsumrx: false,
      vlan: "pass",
      gbp: null,
    },
    peers: [
      {
        publicIp: "172.19.0.3",
        vtepMac: "aa:bb:cc:00:00:03",
        subnets: ["10.244.2.0/24"],
        state: "ok",
        pathMtu: null,
        lease: null,
      },
      {
        publicIp: "172.19.0.4",
        vtepMac: "aa:bb:cc:00:00:04",
        subnets: ["10.244.3.0/24", "10.244.4.0/24"],
        state: "ok",
        pathMtu: null,
        lease: null,
      },
    ],
    flooding: { group: null, remotes: [], rate: 0 },
    learning: { on: false, ageing: 300, maxaddress: 65_536 },
    proxy: false,
    memory: { rss: 64_172_851 },
    dataplane: {
      driver: "worker",
      queues: 1,
      spin: "auto",
      slots: { tx: { free: 256, count: 256 }, rx: { free: 31, count: 32 } },
      lastGroup: null,
    },
    offloads: offloadsWithout({}),
    config: { file: "/etc/poplin/node.yaml", loadedAt: "2026-11-20T00:00:00.000Z", lastReload: null },
    health: [],
    cluster: null,
    ...changes,
  };
  const { device, policy, peers, flooding, learning, proxy, underlay, dataplane, offloads } = status;
  const overlays = changes.overlays ?? [{ device, policy, peers, flooding, learning, proxy }];
  const devices = overlays.map((overlay) => overlay.device.name);
  return { overlays, underlays: [{ ...underlay, devices, dataplane, offloads }], ...status };
}

/** The usual ones on but these, each with its reason. */
export function offloadsWithout(without: Partial<Record<OffloadName, string>>): AgentStatus["offloads"] {
  const off: typeof without = { hairpin: SWITCHED_OFF, ...without };
  const entries = OFFLOAD_NAMES.map((name) => [name, { on: !(name in off), why: off[name] ?? null }]);
  return Object.fromEntries(entries) as AgentStatus["offloads"];
}

export class FakeAgent implements AgentView {
  readonly counters = new Counters();
  readonly rows = new Map<string, OfDevice<FdbRow>>();
  /** What every row was learned from. */
  lesson: Lesson | null = null;
  readonly neighbourRows = new Map<string, OfDevice<Neighbour>>();
  /** What a comparison would change. */
  steps: string[] = [];
  /** What the last request chose. */
  choice: OverlayChoice | undefined;
  readonly listeners = new Set<(event: ToldEvent) => void>();
  /** What the last one who began to listen wants to hear of. */
  topics: readonly Topic[] = [];
  /** What `status` answers; replace it to bend it. */
  answer: () => Promise<AgentStatus> = async () => healthyStatus();

  status(): Promise<AgentStatus> {
    return this.answer();
  }

  logLevel: Level = "info";
  /** Why it is not alive, and not ready. */
  notAlive: readonly string[] = [];
  notReady: readonly string[] = [];

  async live() {
    return this.notAlive;
  }

  async ready() {
    return this.notReady;
  }

  async metrics() {
    return { status: 200, type: "text/plain; version=0.0.4", text: "# HELP a b\n" };
  }

  /** What `leases` answers. */
  leaseRows: readonly LeaseStatus[] = [];

  leases() {
    return this.leaseRows;
  }

  stats(choice?: OverlayChoice) {
    this.choice = choice;
    return this.counters.snapshot();
  }

  /** As GET /v1/stats answers. */
  statsAnswer(): StatsAnswer {
    return { schema: SCHEMA, ...this.counters.snapshot() };
  }

  async fdb(choice?: OverlayChoice): Promise<OfDevice<FdbRow>[]> {
    this.choice = choice;
    return [...this.rows.values()];
  }

  async changeFdb({ op, mac, dst, port = 8472 }: FdbChange): Promise<void> {
    if (!/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/.test(mac))
      throw new AgentError("WIRE_BAD_MAC", `"${mac}" is no MAC`);
    const known = this.rows.has(mac);
    if (op === "del" && !known)
      throw new AgentError("NO_SUCH_ROW", `${mac} has no row`, "`poplin fdb` lists them");
    if (op === "add" && known)
      throw new AgentError("ROW_EXISTS", `${mac} has a row`, "use `poplin fdb replace`");
    if (op === "del") this.rows.delete(mac);
    else this.rows.set(mac, { mac, dev: "flannel.1", vni: 1, dst: dst!, port, state: "permanent" });
  }

  async why(mac: string): Promise<DeviceFdbReason[]> {
    const row = this.rows.get(mac);
    return row === undefined ? [] : [{ row, lesson: this.lesson }];
  }

  async flushFdb(): Promise<number> {
    const learned = [...this.rows.values()].filter(({ state }) => state === "learned");
    for (const { mac } of learned) this.rows.delete(mac);
    return learned.length;
  }

  async neighbours(): Promise<OfDevice<Neighbour>[]> {
    return [...this.neighbourRows.values()];
  }

  async changeNeighbour({ op, address, mac }: NeighbourChange): Promise<void> {
    if (op === "del" && !this.neighbourRows.delete(address)) {
      throw new AgentError("NO_SUCH_ROW", `${address} has no row`);
    }
    if (op !== "del") this.neighbourRows.set(address, { dev: "flannel.1", vni: 1, address, mac: mac! });
  }

  async plan(): Promise<readonly string[]> {
    return this.steps;
  }

  async reconcile(): Promise<number> {
    return this.steps.splice(0).length;
  }

  listen(heard: (event: ToldEvent) => void, topics: readonly Topic[]): () => void {
    this.topics = topics;
    this.listeners.add(heard);
    return () => void this.listeners.delete(heard);
  }

  /** Tells everybody who listens. */
  tell(event: ToldEvent): void {
    for (const listener of this.listeners) listener(event);
  }

  count(name: Parameters<typeof counterIndex>[0], n: number): void {
    this.counters.values[counterIndex(name)] = n;
  }

  drop(...[direction, reason, n]: [...Parameters<typeof dropIndex>, number]): void {
    this.counters.values[dropIndex(direction, reason)] = n;
  }
}
