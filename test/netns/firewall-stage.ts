/** A namespace for a firewall's rules, with programs that tell how they were called; and what is wished of it. */
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import type { FirewallWish } from "../../src/host/firewall/wish.ts";
import { firewallPrograms, Programs, whereIs } from "./programs.ts";

const V4 = { family: 4, network: "10.244.0.0/16", subnet: "10.244.0.0/24" } as const;
export const V6 = { family: 6, network: "fd00:10:244::/48", subnet: "fd00:10:244:1::/64" } as const;
export const WISH: FirewallWish = { networks: [V4, V6], masquerade: true, forward: true, randomFully: true };
export const ONLY4: FirewallWish = { ...WISH, networks: [V4] };

/** `iptables`, `ip6tables` and `nft` of this process lead into a namespace of their own, until it is removed. */
export class FirewallStage {
  readonly netns = `poplin-${randomBytes(4).toString("hex")}-fw`;
  readonly programs: Programs;

  /** @param variant which of the two programs `iptables` is */
  constructor(variant: "nft" | "legacy") {
    execFileSync("ip", ["netns", "add", this.netns]);
    this.programs = new Programs(this.netns, firewallPrograms(variant));
  }

  /** Runs the program itself, past those that count calls. @returns what it printed */
  inside(command: string, args: readonly string[], input = ""): string {
    return execFileSync("ip", ["netns", "exec", this.netns, whereIs(command), ...args], {
      encoding: "utf8",
      input,
      stdio: "pipe",
      timeout: 60_000,
    });
  }

  remove(): void {
    this.programs.remove();
    execFileSync("ip", ["netns", "del", this.netns]);
  }
}
