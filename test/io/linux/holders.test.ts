import { spawn } from "node:child_process";
import { describe, expect, it } from "vitest";
import {
  processesCalled,
  socketsOnPort,
  tapInFdinfo,
  vxlanDevicesOnPort,
} from "../../../src/io/linux/holders.ts";

/** As `ip -json -details link show type vxlan` prints it (iproute2 6.1), shortened. */
const LINKS = JSON.stringify([
  {},
  {
    ifname: "flannel.1",
    flags: ["BROADCAST", "MULTICAST", "UP", "LOWER_UP"],
    linkinfo: { info_kind: "vxlan", info_data: { id: 1, local: "10.0.0.1", port: 8472, learning: false } },
  },
  {
    ifname: "down0",
    flags: ["BROADCAST", "MULTICAST"],
    linkinfo: { info_kind: "vxlan", info_data: { id: 2, port: 8472 } },
  },
  { ifname: "vx4789", flags: ["UP"], linkinfo: { info_kind: "vxlan", info_data: { id: 3, port: 4789 } } },
]);

describe("vxlanDevicesOnPort", () => {
  it("names the devices that are up on the port", () => {
    expect(vxlanDevicesOnPort(LINKS, 8472, 4)).toEqual(["flannel.1"]);
    expect(vxlanDevicesOnPort(LINKS, 4789, 4)).toEqual(["vx4789"]);
    expect(vxlanDevicesOnPort(LINKS, 9, 4)).toEqual([]);
  });

  it("leaves out those of the other address family; an external one has both", () => {
    const link = (ifname: string, data: object) => ({
      ifname,
      flags: ["UP"],
      linkinfo: { info_kind: "vxlan", info_data: { port: 8472, ...data } },
    });
    const dual = JSON.stringify([
      link("flannel.1", { id: 1, local: "10.0.0.1" }),
      link("flannel-v6.1", { id: 1, local6: "fd00::1" }),
      link("any0", { external: true }),
    ]);
    expect(vxlanDevicesOnPort(dual, 8472, 4)).toEqual(["flannel.1", "any0"]);
    expect(vxlanDevicesOnPort(dual, 8472, 6)).toEqual(["flannel-v6.1", "any0"]);
  });

  it.each(["", "[]", "null", "{}", "[null]", '[{"flags":["UP"]}]', "Device does not exist"])(
    "finds nothing in %j",
    (text) => expect(vxlanDevicesOnPort(text, 8472, 4)).toEqual([]),
  );
});

describe("socketsOnPort", () => {
  const table = [
    "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops",
    "  100: 0100007F:2118 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4711 2 0000000000000000 0",
    " 2301: 00000000000000000000000000000000:0044 00000000000000000000000000000000:0000 07 00000000:00000000 00:00000000 00000000   998        0 42 2 0000000000000000 0",
    "",
  ].join("\n");

  it("finds the inode by the local port", () => {
    expect(socketsOnPort(table, 8472)).toEqual(["4711"]);
    expect(socketsOnPort(table, 68)).toEqual(["42"]);
    expect(socketsOnPort(table, 0)).toEqual([]);
    expect(socketsOnPort("", 8472)).toEqual([]);
  });
});

describe("tapInFdinfo", () => {
  it("reads the device's name", () => {
    expect(tapInFdinfo("pos:\t0\nflags:\t02104002\nmnt_id:\t26\nino:\t95\niff:\tflannel.1\n")).toBe(
      "flannel.1",
    );
    expect(tapInFdinfo("pos:\t0\niff:\t\n")).toBeUndefined();
    expect(tapInFdinfo("")).toBeUndefined();
  });
});

describe("processesCalled", () => {
  it("finds others by the name of their program, and not this one", async () => {
    const child = spawn("sleep", ["30"]);
    await new Promise((resolve) => child.once("spawn", resolve));
    expect(processesCalled("sleep")).toContainEqual({ pid: child.pid, command: "sleep" });
    child.kill("SIGKILL");
    expect(processesCalled("no such program")).toEqual([]);
    expect(processesCalled("node").map(({ pid }) => pid)).not.toContain(process.pid);
  });
});
