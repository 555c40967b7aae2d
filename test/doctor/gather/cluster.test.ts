import { describe, expect, it } from "vitest";
import { formatConflist } from "../../../src/cni/conflist.ts";
import { parsePodNetwork } from "../../../src/cni/pod-network.ts";
import { isOfFlannel } from "../../../src/doctor/gather/cluster.ts";

const SUBNET_ENV = `FLANNEL_NETWORK=10.244.0.0/16
FLANNEL_SUBNET=10.244.1.1/24
FLANNEL_MTU=1450
FLANNEL_IPMASQ=true
`;

describe("whether a container runtime is told of flannel", () => {
  it.each([
    ["flannel's own configuration", '{"name": "cbr0", "plugins": [{ "type": "flannel" }]}', true],
    ["what --write-cni-conf writes", formatConflist(parsePodNetwork(SUBNET_ENV, "subnet.env")), true],
    ["another network's", '{"name": "x", "type": "bridge"}', false],
    ["what is no JSON", "nothing", false],
  ])("%s", (_, text, told) => {
    expect(isOfFlannel(text)).toBe(told);
  });
});
