// What a bad network does to one datagram. Every decision follows from the seed and the datagram's number in its
// direction (`src/io/middleware/dice.ts`), whatever the batches were: a run can be told by its seed.
import { draw } from "../../../../dist/io/middleware/dice.js";
import { fold, pseudoSumV4, pseudoSumV6 } from "../../../../dist/wire/checksum.js";
import { Location, locate } from "../../../../dist/wire/flow.js";

export const PASS = 0;
export const LOSE = 1;
export const DUPLICATE = 2;
export const REORDER = 3;
export const FLIP = 4;

// A datagram's questions.
const FATE = 0;
const WHERE = 1;
const DELAY = 2;
const MARK = 3;

const VXLAN = 8;
const TCP = 6;
const UDP = 17;

/** Rates are probabilities per datagram; at most one of the first four happens to it. */
export const NONE = { loss: 0, duplicate: 0, reorder: 0, flip: 0, mark: 0 };

export class Faults {
  #seed;
  #rates;
  #window;
  #where = new Location();
  /** Datagrams seen. */
  n = 0;

  /** @param window how many later datagrams may overtake one that is held, at most */
  constructor(seed, rates, window) {
    this.#seed = seed;
    this.#rates = { ...NONE, ...rates };
    this.#window = window;
  }

  /** The next datagram's fate. */
  next() {
    const { loss, duplicate, reorder, flip } = this.#rates;
    const x = draw(this.#seed, this.n++, FATE);
    if (x >= loss + duplicate + reorder + flip) return PASS;
    if (x < loss) return LOSE;
    if (x < loss + duplicate) return DUPLICATE;
    return x < loss + duplicate + reorder ? REORDER : FLIP;
  }

  /** How many later datagrams overtake this one. */
  delay() {
    return 1 + Math.floor(draw(this.#seed, this.n, DELAY) * this.#window);
  }

  /** The outer TOS of this datagram: a router with a long queue makes CE of ECT (RFC 3168 section 5). */
  tos(tos) {
    const ecn = tos & 3;
    const { mark } = this.#rates;
    if (mark === 0 || ecn === 0 || ecn === 3) return tos;
    return draw(this.#seed, this.n, MARK) < mark ? tos | 3 : tos;
  }

  /**
   * Inverts one bit of [at, at + length).
   * @returns false, and changes nothing, where the receiver could not tell (below)
   */
  flip(bytes, at, length) {
    if (this.#looksUnfinished(bytes, at, length)) return false;
    const bit = Math.floor(draw(this.#seed, this.n, WHERE) * length * 8);
    bytes[at + (bit >>> 3)] ^= 1 << (bit & 7);
    return true;
  }

  /**
   * Whether the inner checksum field equals the pseudo-header sum, as 1 finished checksum in 65,536 does by chance: a
   * kernel peer on a veth leaves it so, hence a receiver has to take it for unfinished, and finishes it over whatever
   * the packet holds by then. That is known and written down (`src/dataplane/partial.ts`), and here it would be a
   * test that fails once in a while for no other reason.
   */
  #looksUnfinished(bytes, at, length) {
    const where = this.#where;
    locate(bytes, at + VXLAN, length - VXLAN, where);
    const { l3At, l4At, l4Length, protocol, version } = where;
    if (l4At === 0 || (protocol !== TCP && protocol !== UDP)) return false;
    const pseudo = (version === 4 ? pseudoSumV4 : pseudoSumV6)(bytes, l3At, protocol, l4Length);
    const field = l4At + (protocol === TCP ? 16 : 6);
    return ((bytes[field] << 8) | bytes[field + 1]) === fold(pseudo);
  }
}
