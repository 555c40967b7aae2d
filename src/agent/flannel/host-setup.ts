/**
 * What a node's kernel needs beside the overlay: forwarding, the firewall's rules, a blackhole route where one is asked
 * for; and subnet.env, from which pods are set up.
 */
import { readFile } from "node:fs/promises";
import { addressOf, parseCidr } from "../../control/address.ts";
import { ensureBlackholes } from "../../host/blackhole.ts";
import { openFirewall } from "../../host/firewall/firewall.ts";
import type { Firewall, FirewallWish } from "../../host/firewall/wish.ts";
import { bridgeFilterWarnings, enableForwarding } from "../../host/forwarding.ts";
import { formatSubnetEnv, type SubnetEnvFamily, writeSubnetEnv } from "../../host/subnet-env.ts";
import type { Log } from "../log.ts";
import { cniConfDuty } from "./cni-conf.ts";
import type { FamilyNode } from "./config.ts";
import type { Former } from "./former.ts";
import { type Duty, Upkeep } from "./upkeep.ts";

/** What is asked for, by flanneld's flags. */
export interface HostWish {
  readonly subnetFile: string;
  /** --write-cni-conf; "" for none. */
  readonly cniConf: string;
  /** --ip-masq */
  readonly masquerade: boolean;
  /** Unless --ip-masq-fully-random-disable. */
  readonly randomFully: boolean;
  /** --iptables-forward-rules */
  readonly forwardRules: boolean;
  /** --ip-blackhole-route */
  readonly blackhole: boolean;
  /** Seconds between two looks: --iptables-resync */
  readonly resync: number;
}

export class HostSetup {
  readonly kind: "iptables" | "nftables";
  readonly #wish: HostWish;
  readonly #families: readonly FamilyNode[];
  readonly #log: Log;
  readonly #firewall: Upkeep;
  readonly #blackhole: Upkeep | null;
  #subnetFile: Upkeep | undefined;
  #cniConf: Upkeep | undefined;

  /**
   * @param families this node's
   * @param former what it had before: its rules and routes go
   */
  constructor(
    wish: HostWish,
    families: readonly FamilyNode[],
    kind: "iptables" | "nftables",
    former: Former,
    log: Log,
  ) {
    this.kind = kind;
    this.#wish = wish;
    this.#families = families;
    this.#log = log;
    this.#firewall = new Upkeep(this.#firewallDuty(former), wish.resync, log);
    this.#blackhole = wish.blackhole ? new Upkeep(this.#blackholeDuty(former), wish.resync, log) : null;
  }

  /** Why the firewall's rules are not in place; null where they are. */
  get trouble(): string | null {
    return this.#firewall.trouble;
  }

  /** Sets up what there has to be, and looks after it from then on. */
  async start(): Promise<void> {
    const families = this.#families.map(({ family }) => family);
    const { done, warnings } = await enableForwarding(families);
    for (const line of done) this.#log.info(`forwarding: ${line}`);
    const bridged = this.kind === "iptables" ? bridgeFilterWarnings(families) : [];
    for (const line of [...warnings, ...bridged]) this.#log.warn(line);
    await this.#firewall.start();
    await this.#blackhole?.start();
  }

  #firewallDuty(former: Former): Duty {
    const { masquerade, randomFully, forwardRules } = this.#wish;
    const wish: FirewallWish = {
      networks: this.#families.map(({ family, network, subnet }) => ({ family, network, subnet })),
      masquerade,
      forward: forwardRules,
      randomFully,
    };
    let firewall: Firewall | undefined;
    const open = async (): Promise<readonly string[]> => {
      const opened = await openFirewall(this.kind, wish, former.networks);
      for (const line of opened.warnings) this.#log.warn(line);
      firewall = opened.firewall;
      return [...opened.removed, ...(await firewall.ensure())];
    };
    return { what: "the firewall's rules", ensure: () => firewall?.ensure() ?? open() };
  }

  #blackholeDuty({ networks }: Former): Duty {
    const own = this.#families.map(({ subnet }) => subnet);
    const former = networks.map(({ subnet }) => subnet);
    return { what: "the blackhole route", ensure: () => ensureBlackholes(own, former) };
  }

  /**
   * Writes subnet.env, and again where it is gone or another; then the container runtimes' configuration, where one is
   * asked for. What keeps them from being written is told, and no reason to stop: as with flanneld.
   * @param mtu of the pods
   * @param written told each time that it is as it should be
   */
  async keepSubnetFile(mtu: number, written: () => void): Promise<void> {
    const { subnetFile, cniConf, masquerade, resync } = this.#wish;
    const family = (wanted: 4 | 6): SubnetEnvFamily | null => {
      const own = this.#families.find((one) => one.family === wanted);
      return own === undefined ? null : { network: own.network, subnet: gatewayOf(own.subnet) };
    };
    const env = { ipv4: family(4), ipv6: family(6), mtu, ipMasq: masquerade };
    // At the start in any case, as flanneld does: whoever looks when it was written learns of the start.
    let isFresh = false;
    const ensure = async (): Promise<string[]> => {
      const there = await readFile(subnetFile, "utf8").catch(() => null);
      const isThere = isFresh && there === formatSubnetEnv(env);
      if (!isThere) await writeSubnetEnv(subnetFile, env);
      isFresh = true;
      written();
      return isThere ? [] : [`${subnetFile} written`];
    };
    this.#subnetFile = new Upkeep(
      { what: "subnet.env, without which no pod can be set up", ensure },
      resync,
      this.#log,
    );
    await this.#subnetFile.start();
    if (cniConf === "") return;
    this.#cniConf = new Upkeep(cniConfDuty(cniConf, env), resync, this.#log);
    await this.#cniConf.start();
  }

  /** Ends looking after it. What was set stays, as flanneld leaves it. */
  close(): void {
    this.#firewall.close();
    this.#blackhole?.close();
    this.#subnetFile?.close();
    this.#cniConf?.close();
  }
}

/** @returns a subnet with the address of its gateway, its first: 10.244.1.1/24 for 10.244.1.0/24 */
export function gatewayOf(subnet: string): string {
  const { family, first, prefix } = parseCidr(subnet);
  return `${addressOf(family, first + 1n)}/${prefix}`;
}
