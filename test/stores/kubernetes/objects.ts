/**
 * The objects of the test's API server, and the history of their changes: one counter of versions, as etcd's revisions.
 * Watches are told what happened since a version, as long as the history reaches back to it.
 */

export interface Json {
  [key: string]: unknown;
}

export interface NodeObject extends Json {
  metadata: {
    name: string;
    resourceVersion: string;
    annotations?: Record<string, string>;
    [key: string]: unknown;
  };
  spec: Json;
  status: { conditions?: { type: string; [key: string]: unknown }[]; [key: string]: unknown };
}

export interface HistoryEvent {
  readonly type: "ADDED" | "MODIFIED" | "DELETED";
  readonly version: number;
  readonly object: NodeObject;
}

export class Objects {
  version = 100;
  readonly nodes = new Map<string, NodeObject>();
  /** namespace/name → the node's name. */
  readonly pods = new Map<string, string>();
  #history: HistoryEvent[] = [];
  /** Up to here it is forgotten. */
  forgotten = 0;
  onEvent: (event: HistoryEvent) => void = () => {};

  /** Makes or replaces a node. */
  put(
    name: string,
    podCidrs: readonly string[],
    annotations: Record<string, string> = {},
    extra: Json = {},
  ): void {
    const type = this.nodes.has(name) ? "MODIFIED" : "ADDED";
    const spec = podCidrs.length === 0 ? {} : { podCIDR: podCidrs[0], podCIDRs: [...podCidrs] };
    const metadata = { name, resourceVersion: "", labels: { "kubernetes.io/hostname": name }, annotations };
    const object = { kind: "Node", apiVersion: "v1", metadata, spec: { ...spec, ...extra }, status: {} };
    this.#changed(type, object);
  }

  delete(name: string): void {
    const object = this.nodes.get(name);
    if (object !== undefined) this.#changed("DELETED", structuredClone(object));
  }

  /** Changes annotations; null removes one. */
  annotate(name: string, annotations: Record<string, string | null>): NodeObject {
    return this.patch(name, { metadata: { annotations } });
  }

  /**
   * A strategic merge patch: objects are merged, null removes, conditions are merged by their type.
   * As in Kubernetes, one that changes nothing makes no new version.
   */
  patch(name: string, patch: Json): NodeObject {
    const before = this.nodes.get(name)!;
    const object = structuredClone(before);
    const { conditions, ...status } = (patch.status ?? {}) as { conditions?: { type: string }[] };
    merge(object.metadata as Json, (patch.metadata ?? {}) as Json);
    merge(object.status as Json, status);
    for (const condition of conditions ?? []) {
      object.status.conditions ??= [];
      const known = object.status.conditions.find(({ type }) => type === condition.type);
      if (known === undefined) object.status.conditions.push({ ...condition });
      else Object.assign(known, condition);
    }
    if (JSON.stringify(object) === JSON.stringify(before)) return before;
    this.#changed("MODIFIED", object);
    return object;
  }

  /** @returns what happened after a version; null where it is not known any more */
  since(version: number): HistoryEvent[] | null {
    if (version < this.forgotten) return null;
    return this.#history.filter((event) => event.version > version);
  }

  /** Forgets the history, as etcd's compaction does. */
  compact(): void {
    // A version more, so that the one that everybody has is too old.
    this.version++;
    this.#history = [];
    this.forgotten = this.version;
  }

  #changed(type: HistoryEvent["type"], object: NodeObject): void {
    object.metadata.resourceVersion = String(++this.version);
    if (type === "DELETED") this.nodes.delete(object.metadata.name);
    else this.nodes.set(object.metadata.name, object);
    const event = { type, version: this.version, object };
    this.#history.push(event);
    this.onEvent(event);
  }
}

function merge(target: Json, patch: Json): void {
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete target[key];
    else if (typeof value === "object" && !Array.isArray(value)) {
      target[key] ??= {};
      merge(target[key] as Json, value as Json);
    } else target[key] = value;
  }
}
