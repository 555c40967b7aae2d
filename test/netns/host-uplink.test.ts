/** The interface under the overlay, found in the kernel. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { findUplink, type UplinkWish } from "../../src/host/uplink.ts";
import { describeWith, namespaces } from "../helpers/needs.ts";
import { HostStage } from "./host-stage.ts";

describeWith([namespaces()], "the uplink", () => {
  let stage: HostStage;
  beforeAll(() => {
    stage = new HostStage();
  });
  afterAll(() => stage.remove());

  it("is found by our address, or by the way to a peer", async () => {
    const uplink = { device: "underlay", mtu: 1500 };
    const wish = (some: Partial<UplinkWish>): UplinkWish => ({
      local: null,
      device: null,
      towards: null,
      family: 4,
      ...some,
    });
    expect(await findUplink(wish({ local: "192.168.0.1" }), stage.options)).toEqual({
      ...uplink,
      address: "192.168.0.1",
    });
    expect(await findUplink(wish({ towards: "192.168.0.2" }), stage.options)).toEqual({
      ...uplink,
      address: "192.168.0.1",
    });
    expect(await findUplink(wish({ towards: "fd00:10::2", family: 6 }), stage.options)).toEqual({
      ...uplink,
      address: "fd00:10::1",
    });
    await expect(findUplink(wish({ local: "192.168.0.7" }), stage.options)).rejects.toMatchObject({
      code: "HOST_LOCAL_ADDRESS",
      remedy: expect.stringMatching(/192\.168\.0\.1, 10\.244\.1\.1/),
    });
    await expect(findUplink(wish({}), stage.options)).rejects.toMatchObject({ code: "HOST_NO_UPLINK" });
    const named = { ...uplink, address: "192.168.0.1" };
    expect(await findUplink(wish({ device: "underlay" }), stage.options)).toEqual(named);
    await expect(findUplink(wish({ device: "eth7" }), stage.options)).rejects.toMatchObject({
      code: "HOST_NO_DEVICE",
      remedy: expect.stringMatching(/underlay/),
    });
    await expect(
      findUplink(wish({ device: "underlay", local: "10.244.1.1" }), stage.options),
    ).rejects.toMatchObject({ code: "HOST_LOCAL_ADDRESS", remedy: expect.stringMatching(/192\.168\.0\.1/) });
  });
});
