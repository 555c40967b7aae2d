/** What `poplin vtep --explain` prints, run as it is: the kernel makes the device that it says. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { POPLIN } from "../../src/lab/agent-process.ts";
import type { Host } from "../../src/lab/host.ts";
import { Lab } from "../../src/lab/lab.ts";
import { describeWith, lab as labNeeds, tool } from "../helpers/needs.ts";

describeWith([labNeeds(), tool("bridge")], "--explain", () => {
  let lab: Lab;
  let host: Host;
  beforeAll(() => {
    lab = Lab.create();
    host = lab.addHost("explain");
    lab.cable({ host, name: "eth0" }, { host: lab.addHost("other"), name: "eth0" });
    host.ip("addr add 172.19.0.2/16 dev eth0", "addr add fd00:172:19::2/64 dev eth0 nodad");
  });
  afterAll(() => lab?.destroy());

  /** Explains, runs what it says, and asks the kernel. */
  async function explained(args: string): Promise<{ device: Record<string, unknown>; fdb: string }> {
    const words = [POPLIN, "vtep", "--device", "vx", ...args.split(" "), "--explain"];
    const { stdout } = await host.exec(process.execPath, words);
    await host.exec("sh", ["-ec", stdout.split("\n\n")[0]!]);
    const link = await host.exec("ip", ["-d", "-j", "link", "show", "vx"]);
    const { stdout: fdb } = await host.exec("bridge", ["fdb", "show", "dev", "vx"]);
    host.ip("link del vx");
    return { device: JSON.parse(link.stdout)[0].linkinfo.info_data, fdb };
  }

  it("makes a device with remotes", async () => {
    const remotes = "--remote 172.19.0.3 172.19.0.4 --local 172.19.0.2 --dstport 4789";
    const { device, fdb } = await explained(`--vni 100 ${remotes} --ageing 60 --maxaddress 1000 --ttl 9`);
    expect(device).toMatchObject({
      ...{ id: 100, remote: "172.19.0.3", local: "172.19.0.2", port: 4789, ttl: 9 },
      ...{ learning: true, ageing: 60, limit: 1000, udp_csum: true },
      port_range: { low: 49_152, high: 65_535 },
    });
    expect(fdb).toContain("00:00:00:00:00:00 dst 172.19.0.4 self permanent");
  });

  it("makes a device with a group, over IPv6, with other header options", async () => {
    const group = "--group ff05::100 --dev eth0 --local fd00:172:19::2";
    // iproute2's JSON says `inherit` as the 1 that stands for it.
    const { device } = await explained(`--id 5 ${group} --tos inherit --udp-checksum zero --nolearning`);
    expect(device).toMatchObject({
      ...{ id: 5, group6: "ff05::100", link: "eth0", local6: "fd00:172:19::2", port: 8472 },
      ...{ learning: false, tos: "0x1", udp_zero_csum6_tx: true },
    });
  });

  it("a remote that is ourselves is refused, also where only the machine knows", async () => {
    const words = ["vtep", "--device", "vx5", "--remote", "172.19.0.9", "172.19.0.2", "--dev", "eth0"];
    const socket = ["--socket", lab.file("vx5.sock")];
    const { status, stderr } = await host.exec(process.execPath, [POPLIN, ...words, ...socket], {
      check: false,
    });
    expect([status, stderr]).toEqual([
      1,
      expect.stringContaining("the remote 172.19.0.2 is our own address"),
    ]);
    expect((await host.exec("ip", ["link", "show", "dev", "vx5"], { check: false })).status).toBe(1);
  });
});
