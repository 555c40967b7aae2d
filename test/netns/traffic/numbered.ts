/** Tens of thousands of numbered datagrams a second between two namespaces, each accounted for (`numbered.mjs`). */
import type { Host } from "../../../src/lab/host.ts";
import { Helper } from "./helper.ts";

/** Where each receives. */
const PORT = 21_500;

interface Report {
  readonly flows: readonly { received: number; twice: number; late: number; lost: number[] }[];
  readonly overflows: number;
}

/** What became of what one sent. */
export interface Account {
  readonly sent: number;
  readonly received: number;
  /** Came again, came after a later one of its flow, and the first few that never came. */
  readonly twice: number;
  readonly late: number;
  readonly lost: readonly number[];
  /** Reached the receiver, whose buffer was full. */
  readonly overflows: number;
}

export class Numbered {
  readonly #address: string;
  readonly #helper: Helper;

  constructor(host: Host, address: string) {
    this.#address = address;
    this.#helper = new Helper(host, "numbered.mjs", [address, String(PORT)]);
  }

  /** Resolves when its socket is open: what came before would be nobody's. */
  async ready(): Promise<void> {
    await this.#helper.ask({ report: true });
  }

  /** Sends from now on. @param rate datagrams a second, over all flows */
  async stream(to: Numbered, rate: number, flows = 1): Promise<void> {
    await this.#helper.ask({ stream: { to: to.#address, port: PORT, rate, flows } });
  }

  /** Ends the stream, and accounts for it at the other end when nothing comes there any more. */
  async settle(to: Numbered): Promise<Account> {
    const { sent } = await this.#helper.ask<{ sent: number[] }>({ quiet: true });
    const total = sent.reduce((sum, n) => sum + n, 0);
    for (let before = -1; ; ) {
      const { flows, overflows } = await to.#helper.ask<Report>({ report: true });
      const sum = (what: "received" | "twice" | "late"): number =>
        flows.reduce((n, flow) => n + flow[what], 0);
      const received = sum("received");
      if (received >= total || received === before) {
        const lost = flows.flatMap((flow) => flow.lost);
        return { sent: total, received, twice: sum("twice"), late: sum("late"), lost, overflows };
      }
      before = received;
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }

  stop(): Promise<void> {
    return this.#helper.stop();
  }
}
