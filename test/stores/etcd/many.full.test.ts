/** As many leases as flannel's networks have at most, and more than etcd says in one answer. */
import { expect, it } from "vitest";
import { formatAttributes, vxlanData } from "../../../src/control/flannel/node-lease.ts";
import { Heard } from "../../contract/heard.ts";
import { attributesOf, confOf } from "../../contract/store-world.ts";
import { describeWith, optionalPackage, tool } from "../../helpers/needs.ts";
import { until } from "../../helpers/until.ts";
import { EtcdServer } from "./server.ts";
import { EtcdStage } from "./stage.ts";

const CONF = '{"Network":"10.0.0.0/8","Backend":{"Type":"vxlan"}}';
const COUNT = 5000;

describeWith([tool("etcd"), tool("etcdctl"), optionalPackage("etcd3")], "five thousand leases", () => {
  it("are all read at the start, and those that change in a break are heard after it", async () => {
    const server = await EtcdServer.start();
    const stage = await EtcdStage.make(server, CONF);
    const pairs = Array.from({ length: COUNT }, (_, i) => pairOf(stage, i));
    try {
      await server.putAll(pairs);
      const store = await stage.open();
      const begun = performance.now();
      const heard = await Heard.all(store);
      const read = performance.now();
      await store.acquire({ conf: confOf(CONF, "picked"), attributes: attributesOf(1), previous: null });
      const acquired = performance.now();
      expect(heard.changes.slice(0, COUNT).every(({ kind }) => kind === "added")).toBe(true);
      await until("all are there, and ours", () => heard.leases.size === COUNT + 1);
      await stage.cut();
      // Another MAC for each second one: more than etcd tells in one message.
      await server.putAll(
        pairs.filter((_, i) => i % 2 === 0).map(([key, value]) => [key, value.replace("0a:", "0e:")]),
      );
      const mended = performance.now();
      await stage.mend();
      await until("all changes are heard", () => heard.changes.length === COUNT + 1 + COUNT / 2);
      const caughtUp = performance.now();
      expect(heard.faults).toEqual([]);
      const took = [read - begun, acquired - read, caughtUp - mended].map((time) => `${Math.round(time)} ms`);
      console.log(
        `${COUNT} leases: read in ${took[0]}, one more acquired in ${took[1]}, ${COUNT / 2} changes after a break heard in ${took[2]}`,
      );
    } finally {
      await stage.close();
      await server.close();
    }
  }, 120_000);
});

function pairOf(stage: EtcdStage, i: number): readonly [string, string] {
  const [high, low] = [i >> 8, i & 255];
  const hex = [high, low].map((byte) => byte.toString(16).padStart(2, "0")).join(":");
  const attributes = {
    publicIp: `172.16.${high}.${low}`,
    publicIpv6: null,
    backendType: "vxlan",
    backendData: vxlanData(1, `0a:00:00:00:${hex}`),
    backendV6Data: null,
  };
  return [stage.path(`10.${high}.${low}.0-24`), formatAttributes(attributes)];
}
