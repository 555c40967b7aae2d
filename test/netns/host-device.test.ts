/** Our device in the kernel: which of those that are there are taken over, what is repaired, what is switched off. */
import { execFileSync } from "node:child_process";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import {
  type DevicePlan,
  decideDevice,
  deleteLink,
  makeWay,
  planDevices,
  readLink,
} from "../../src/host/link.ts";
import { removeQueues } from "../../src/host/qdisc.ts";
import { repairLink } from "../../src/host/repair.ts";
import { refuseRouterAdvertisements } from "../../src/host/sysctl.ts";
import { describeWith, namespaces, tun } from "../helpers/needs.ts";
import { DEVICE, HostStage, OURS } from "./host-stage.ts";

describeWith([namespaces(), tun()], "the device", () => {
  let stage: HostStage;
  beforeAll(() => {
    stage = new HostStage();
  });
  afterAll(() => stage.remove());
  afterEach(() => deleteLink(DEVICE, stage.options));

  /** Makes way for our device. */
  async function prepare(): Promise<DevicePlan> {
    const [plan] = await planDevices([DEVICE], stage.options);
    await makeWay([plan!], stage.options);
    return plan!;
  }

  it("a TAP as we make them is taken over; MAC, MTU and state are repaired in place", async () => {
    expect((await prepare()).decision).toEqual({ action: "create" });
    stage.makeTap("multi_queue", "vnet_hdr");
    const { decision, before } = await prepare();
    expect(decision).toEqual({ action: "reuse" });
    expect(before?.tun).toEqual({
      mode: "tap",
      multiQueue: true,
      vnetHeader: true,
      persistent: true,
      packetInfo: false,
      queues: 0,
    });
    const { link, repaired } = await repairLink(DEVICE, OURS, stage.options);
    expect(repaired).toEqual([`address ${OURS.mac} mtu 1450 up`]);
    expect(link).toMatchObject({ mac: OURS.mac, mtu: 1450, up: true, index: before!.index });
    expect((await repairLink(DEVICE, OURS, stage.options)).repaired).toEqual([]);
  });

  it.each([
    ["a single queue", ["vnet_hdr"], /single queue/],
    ["no vnet header", ["multi_queue"], /no vnet header/],
    ["a packet information header", ["multi_queue", "vnet_hdr", "pi"], /packet information/],
  ])("a TAP with %s is deleted, to be made anew", async (_what, flags, reason) => {
    stage.makeTap(...flags);
    stage.ip("addr", "add", "10.244.1.0/32", "dev", DEVICE);
    const { decision, before } = await prepare();
    expect(decision).toEqual({ action: "recreate", reason: expect.stringMatching(reason) });
    expect(before?.addresses).toEqual(["10.244.1.0/32"]);
    expect(await readLink(DEVICE, stage.options)).toBeNull();
  });

  it("flannel's VXLAN device and a TUN of our name make way, a bridge does not", async () => {
    stage.ip(
      "link",
      "add",
      DEVICE,
      "type",
      "vxlan",
      "id",
      "1",
      "dstport",
      "8472",
      "dev",
      "underlay",
      "nolearning",
    );
    expect((await prepare()).decision.action).toBe("recreate");
    stage.ip("tuntap", "add", DEVICE, "mode", "tun", "multi_queue", "vnet_hdr");
    expect((await prepare()).decision.action).toBe("recreate");
    stage.ip("link", "add", DEVICE, "type", "bridge");
    await expect(prepare()).rejects.toMatchObject({
      code: "HOST_DEVICE_TAKEN",
      message: "flannel.1 exists, and it is a bridge",
    });
    expect(await readLink(DEVICE, stage.options)).not.toBeNull();
    expect(decideDevice(await readLink("underlay", stage.options)).action).toBe("taken");
    expect(decideDevice(await readLink("lo", stage.options)).action).toBe("taken");
  });

  it("our device gets no queueing discipline; where that fails it says why", async () => {
    stage.makeTap("multi_queue", "vnet_hdr");
    expect(await removeQueues([DEVICE], stage.options)).toEqual([]);
    const words = ["-netns", stage.netns, "qdisc", "show", "dev", DEVICE];
    expect(execFileSync("tc", words, { encoding: "utf8" })).toMatch(/^qdisc noqueue /);
    expect(await removeQueues(["no-such-device", DEVICE], stage.options)).toEqual([
      expect.stringMatching(/^the queueing .* no-such-device stays .*: .+/),
    ]);
  });

  it("router advertisements are refused on our device", async () => {
    stage.makeTap("multi_queue", "vnet_hdr");
    expect(refuseRouterAdvertisements(DEVICE, stage.options)).toBeNull();
    const path = `/proc/sys/net/ipv6/conf/${DEVICE}/accept_ra`;
    expect(execFileSync("ip", ["netns", "exec", stage.netns, "cat", path], { encoding: "utf8" })).toBe("0\n");
    expect(refuseRouterAdvertisements("no-such-device", stage.options)).toBeNull();
  });
});
