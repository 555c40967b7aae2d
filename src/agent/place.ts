/** One underlay of the agent: how it should be, and what forwards over it while that is open. */
import { readLinks } from "../host/link.ts";
import type { AgentConfig } from "./config/load.ts";
import { Forwarding } from "./forwarding.ts";
import type { Log } from "./log.ts";
import type { Given } from "./open.ts";

export class Place {
  #config: AgentConfig;
  #forwarding: Forwarding | undefined;
  #address: string | null = null;
  /** MACs of the devices when they were last open: they may have been made up, and the peers know them. */
  #macs: ReadonlyMap<string, string> = new Map();

  constructor(config: AgentConfig) {
    this.#config = config;
  }

  /** As it should be; from the next `open` on where it was given by `willBe`. */
  get config(): AgentConfig {
    return this.#config;
  }

  /** Undefined until it has been opened, and while it is opened again. */
  get forwarding(): Forwarding | undefined {
    return this.#forwarding;
  }

  /** Our address in the underlay when it was last open. */
  get address(): string | null {
    return this.#address;
  }

  /** The devices that it should have. */
  get devices(): string[] {
    return this.#config.overlays.map(({ device }) => device);
  }

  /**
   * Opens it, with the MACs that the devices had where the configuration names none.
   * @throws as `Forwarding.open`
   */
  async open(log: Log): Promise<Forwarding> {
    const config = withMacs(this.#config, this.#macs);
    const forwarding = await Forwarding.open(config, log);
    this.#opened(forwarding);
    forwarding.say(config);
    return forwarding;
  }

  /** Opens it of what an agent before this one has open; no packet moves yet. @throws as `Forwarding.adopt` */
  async adopt(log: Log, given: Given): Promise<Forwarding> {
    const forwarding = await Forwarding.adopt(this.#config, log, given);
    this.#opened(forwarding);
    return forwarding;
  }

  #opened(forwarding: Forwarding): void {
    const { overlays } = forwarding;
    this.#forwarding = forwarding;
    this.#address = overlays[0].device.uplink.address;
    this.#macs = new Map(overlays.map(({ device }) => [device.name, device.mac]));
  }

  /** From now on devices stay when they are closed, unless the configuration wants them gone. */
  keepDevices(): void {
    this.#forwarding?.setEphemeral(this.#config.ephemeral);
  }

  /** Takes over what needs no restart, but for the rows: `Forwarding.putInPlace` compares those. */
  async setConfig(next: AgentConfig): Promise<void> {
    await this.#forwarding?.setConfig(next);
    this.#config = next;
  }

  /** Takes over anything, for the next `open`. */
  willBe(next: AgentConfig): void {
    this.#config = next;
  }

  /** @param staying devices that stay, unless they are ephemeral; others go, with their addresses and rows */
  async close(staying: readonly string[]): Promise<void> {
    const forwarding = this.#forwarding;
    if (forwarding === undefined) return;
    this.#forwarding = undefined;
    try {
      forwarding.setEphemeral(true, (device) => !staying.includes(device));
    } finally {
      await forwarding.close();
    }
  }

  /** @returns why it must not be opened: a device of the kernel's has one of the names; null where none has */
  async usurped(): Promise<Error | null> {
    const links = await readLinks(this.devices, {});
    const name = this.devices.find((one) => links.get(one)?.kind === "vxlan");
    if (name === undefined) return null;
    return new Error(
      `${name} is a VXLAN device of the kernel's now: flanneld, or somebody by hand, has taken this node over; ` +
        "stop that before poplin is started again",
    );
  }
}

function withMacs(config: AgentConfig, macs: ReadonlyMap<string, string>): AgentConfig {
  const overlays = config.overlays.map((overlay) => ({
    ...overlay,
    vtepMac: overlay.vtepMac ?? macs.get(overlay.device) ?? null,
  }));
  return { ...config, overlays: overlays as unknown as AgentConfig["overlays"] };
}
