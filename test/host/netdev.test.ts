import { describe, expect, it } from "vitest";
import { parseTransmitDrops } from "../../src/host/netdev.ts";

const TEXT = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:    1000      10    0    1    0     0          0         0     1000      10    0    2    0     0       0          0
flannel.1: 2000      20    0    3    0     0          0         0     2000      20    0  713354    0     0       0          0
`;

describe("/proc/net/dev", () => {
  it("has the frames that a device dropped on their way out", () => {
    expect(parseTransmitDrops(TEXT).get("flannel.1")).toBe(713354);
    expect(parseTransmitDrops(TEXT).get("lo")).toBe(2);
    expect(parseTransmitDrops(TEXT).get("flannel")).toBeUndefined();
  });
});
