/**
 * A host for the tests of `src/host`: a namespace with an underlay (a veth that leads nowhere) and real TAPs.
 *
 *   ┌ poplin-<id>-host ─────────────────────────────┐
 *   │ underlay 192.168.0.1/24, fd00:10::1/64 (1500) │
 *   │ flannel.1: TAP, persistent, made by each test │
 *   └───────────────────────────────────────────────┘
 */
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { repairLink } from "../../src/host/repair.ts";

export const DEVICE = "flannel.1";
export const OURS = { mac: "0e:2a:00:00:00:01", mtu: 1450 };

export class HostStage {
  readonly netns = `poplin-${randomBytes(4).toString("hex")}-host`;
  readonly options = { netns: this.netns };

  constructor() {
    execFileSync("ip", ["netns", "add", this.netns]);
    this.ip("link", "set", "lo", "up");
    this.ip("link", "add", "underlay", "type", "veth", "peer", "name", "far");
    this.ip("addr", "add", "192.168.0.1/24", "dev", "underlay");
    this.ip("addr", "add", "fd00:10::1/64", "dev", "underlay", "nodad");
    this.ip("link", "set", "underlay", "up");
    this.ip("link", "set", "far", "up");
    this.ip("link", "add", "cni0", "type", "bridge");
    this.ip("addr", "add", "10.244.1.1/24", "dev", "cni0");
    this.ip("link", "set", "cni0", "up");
  }

  ip(...words: string[]): string {
    return execFileSync("ip", ["-n", this.netns, ...words], { encoding: "utf8" });
  }

  makeTap(...flags: string[]): void {
    this.ip("tuntap", "add", DEVICE, "mode", "tap", ...flags);
  }

  /** Our device, as an agent has it once it runs. */
  async makeDevice(): Promise<void> {
    this.makeTap("multi_queue", "vnet_hdr");
    await repairLink(DEVICE, OURS, this.options);
  }

  remove(): void {
    execFileSync("ip", ["netns", "del", this.netns]);
  }
}
