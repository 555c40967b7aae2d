/** What every store must do: the contract at the head of `src/stores/store.ts`, on a stage of each (`store-world.ts`). */
import { afterEach, describe } from "vitest";
import { acquireContract } from "./store-acquire.contract.ts";
import { keepContract } from "./store-keep.contract.ts";
import { watchContract } from "./store-watch.contract.ts";
import { type StoreSubject, World } from "./store-world.ts";

export function storeContract(title: string, subject: StoreSubject): void {
  describe(title, () => {
    const world = new World(subject);
    afterEach(() => world.end());
    acquireContract(world);
    keepContract(world);
    watchContract(world);
  });
}
