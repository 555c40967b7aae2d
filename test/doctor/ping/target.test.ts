/** Whom `poplin ping WORD` means. */
import { expect, it } from "vitest";
import { describeTargets, findTarget } from "../../../src/doctor/ping/target.ts";
import { healthyStatus } from "../../agent/api/fake-agent.ts";

const plain = healthyStatus();
const [first, second] = plain.peers;
const status = healthyStatus({
  peers: [{ ...first!, lease: { key: "node-3", since: "2026-11-20T00:00:00.000Z" } }, second!],
  flooding: { group: null, remotes: [{ address: "192.0.2.9", pathMtu: null }], rate: 0 },
});

it.each([
  ["172.19.0.3", "172.19.0.3", "10.244.2.0"],
  ["aa:bb:cc:00:00:03", "172.19.0.3", "10.244.2.0"],
  ["AA:BB:CC:00:00:04", "172.19.0.4", "10.244.3.0"],
  ["10.244.4.0/24", "172.19.0.4", "10.244.3.0"],
  ["10.244.4.7", "172.19.0.4", "10.244.4.7"],
  ["node-3", "172.19.0.3", "10.244.2.0"],
  ["192.0.2.9", "192.0.2.9", null],
])("%s", (word, publicIp, inside) => {
  expect(findTarget(word, status)).toMatchObject({ publicIp, inside });
});

it("nobody by a name, an address or a VNI that there is not", () => {
  for (const word of ["node-4", "10.245.0.1", "", "10.244.2.0/25"])
    expect(findTarget(word, status)).toBeNull();
  expect(findTarget("172.19.0.3", status, 1)).not.toBeNull();
  expect(findTarget("172.19.0.3", status, 2)).toBeNull();
});

it("says whom there is to choose from", () => {
  expect(describeTargets(status)).toBe("the peers are 172.19.0.3 (node-3), 172.19.0.4, 192.0.2.9");
  expect(describeTargets(healthyStatus({ peers: [] }))).toBe("this agent has no peers");
});
