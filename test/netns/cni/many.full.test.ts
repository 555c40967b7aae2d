/** A hundred pods that come and go, one by one and several at once: their node is exactly as it was. */
import { afterEach, expect, it } from "vitest";
import type { CniResult } from "../../../src/lab/cni.ts";
import type { Host } from "../../../src/lab/host.ts";
import { cniExecutable, cniPlugins, describeFull, namespaces, tool } from "../../helpers/needs.ts";
import { type CniStage, ENV, expectState, mapped, settledStage, WAYS } from "./stage.ts";

let stage: CniStage | undefined;
afterEach(() => stage?.destroy());

const PODS = 100;
/** As many as a kubelet that starts a node full of pods. */
const AT_ONCE = 8;

const NEEDS = [namespaces(), cniPlugins(), tool("iptables"), tool("nft"), cniExecutable()];

describeFull(NEEDS, "a hundred pods", () => {
  it.each(WAYS)(
    "one after the other, by way of the %s",
    async (way) => {
      // With masquerading by the plugins, which is what leaves most.
      stage = await settledStage(way, { env: { ...ENV, ipMasq: false } });
      const [pod] = stage.addPods(1) as [Host];
      const before = await stage.state();
      for (let n = 0; n < PODS; n++) {
        const attachment = { containerId: `container-${n}`, capabilities: mapped(9000 + n) };
        await stage.cni.add(pod, attachment);
        await stage.cni.del(pod, attachment);
      }
      await expectState(stage, before);
    },
    300_000,
  );

  it.each(WAYS)(
    "all at a time, by way of the %s",
    async (way) => {
      stage = await settledStage(way);
      const { cni } = stage;
      const pods = stage.addPods(PODS);
      const before = await stage.state();
      const results = await each(pods, (pod, n) =>
        cni.add(pod, n % 4 === 0 ? { capabilities: mapped(9000 + n) } : {}),
      );
      const addresses = results.flatMap(({ ips = [] }: CniResult) => ips.map(({ address }) => address));
      expect(new Set(addresses).size).toBe(results.length * results[0]!.ips!.length);
      // portmap's own CHECK calls those with a port broken.
      await each(
        pods.filter((_, n) => n % 4 !== 0),
        (pod) => cni.check(pod),
      );
      // Half of them in the order in which they came, half from the end.
      await each([...pods.slice(0, PODS / 2), ...pods.slice(PODS / 2).reverse()], (pod) => cni.del(pod));
      await expectState(stage, before);
    },
    300_000,
  );
});

/** Some at once, the next as soon as one is done. @returns results in the order of the list */
async function each<T, R>(all: readonly T[], work: (one: T, index: number) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let index = next++; index < all.length; index = next++)
      results[index] = await work(all[index]!, index);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return results;
}
