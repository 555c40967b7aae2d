/** What the contract of underlays (`underlay.contract.ts`) is held to, and how each test opens as many as it needs. */
import { Node, type Opened, slabOf, turn } from "./node.ts";

export interface Subject {
  readonly kind: string;
  readonly family: 4 | 6;
  /** Opens one on its own address; a port of 0 is any that is free. */
  open(port: number): Promise<Opened> | Opened;
  /** Opens one that reaches the others, sends any TOS, and knows what it receives. */
  witness(): Promise<Opened> | Opened;
  /** How many small datagrams are taken at once, if that is fewer than 600. */
  readonly taken?: number;
  /** An address that the kernel refuses to send to. */
  readonly refused?: Uint8Array;
}

/** Opens underlays, and closes them when a test is over. */
export class Opener {
  readonly subject: Subject;
  /** In the order in which they were opened. */
  readonly opened: Opened[] = [];

  constructor(subject: Subject) {
    this.subject = subject;
  }

  open(port = 0): Promise<Opened> {
    return this.#keep(this.subject.open(port));
  }

  witness(): Promise<Opened> {
    return this.#keep(this.subject.witness());
  }

  /** Two of them, and the slab whose row 0 is the receiver. */
  async pair(slots = 64, slotBytes = 2048, rows = slots) {
    const to = await this.open();
    const from = new Node(await this.open(), slots, slotBytes, rows);
    return { from, to: new Node(to, slots, slotBytes, rows), slab: slabOf(to) };
  }

  async close(): Promise<void> {
    for (const { underlay } of this.opened.splice(0)) underlay.close();
    await turn();
  }

  async #keep(underlay: Promise<Opened> | Opened): Promise<Opened> {
    const opened = await underlay;
    this.opened.push(opened);
    return opened;
  }
}
