/** The store that was asked for. What only one of them needs is loaded only when it is that one: packages are large. */
import type { EtcdStoreOptions } from "./etcd/options.ts";
import type { KubernetesStoreOptions } from "./kubernetes/store.ts";
import { type Meter, NO_METER } from "./meter.ts";
import type { Store } from "./store.ts";

/** Which store, and where. */
export type StoreChoice =
  | { readonly kind: "file"; readonly directory: string }
  | { readonly kind: "etcd"; readonly options: EtcdStoreOptions }
  | { readonly kind: "kubernetes"; readonly options: KubernetesStoreOptions };

/**
 * @param warn told of what is suspicious about the options
 * @param meter told how long each operation took
 * @throws StoreError when its package is not installed, or an option cannot be
 */
export async function openStore(
  choice: StoreChoice,
  warn: (text: string) => void,
  meter: Meter = NO_METER,
): Promise<Store> {
  switch (choice.kind) {
    case "file": {
      const { FileStore } = await import("./file/store.ts");
      return new FileStore({ ...choice, meter });
    }
    case "etcd": {
      const { EtcdStore } = await import("./etcd/store.ts");
      const store = await EtcdStore.open(choice.options, meter);
      for (const text of store.warnings) warn(text);
      return store;
    }
    case "kubernetes": {
      const { KubernetesStore } = await import("./kubernetes/store.ts");
      return new KubernetesStore(choice.options, meter);
    }
  }
}
