/**
 * Whether two packets have the same headers but for what may differ between segments of one flow: a comparison by
 * 32-bit words under a mask. The mask is made anew only when the shape of the headers changes.
 */
const EVERY_BIT = 0xff;

export class HeaderMask {
  /** Bytes of the longest headers that can be compared: VXLAN, Ethernet with tags, IPv6, TCP with all options. */
  static readonly LONGEST = 144;

  /** The arena in words; for loops that compare many packets with one. */
  readonly words: Int32Array;
  /** What is compared of each word of the headers: the rest is 0. */
  readonly maskWords: Int32Array;
  readonly #bytes: Uint8Array;
  readonly #mask = new Uint8Array(HeaderMask.LONGEST);
  #l3 = 0;
  #l4 = 0;
  #length = 0;
  #version = 0;
  #tcp = false;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2);
    this.maskWords = new Int32Array(this.#mask.buffer);
  }

  /**
   * Says what is compared from now on.
   * @param l3 where the IP header starts, from the start of the packet; `l4` and `length`: where the next header starts and ends
   */
  shape(l3: number, l4: number, length: number, version: number, tcp: boolean): void {
    if (l3 === this.#l3 && l4 === this.#l4 && length === this.#length) {
      if (version === this.#version && tcp === this.#tcp) return;
    }
    this.#l3 = l3;
    this.#l4 = l4;
    this.#length = length;
    this.#version = version;
    this.#tcp = tcp;
    const mask = this.#mask;
    mask.fill(0);
    mask.fill(EVERY_BIT, 0, length);
    if (version === 4) {
      mask.fill(0, l3 + 2, l3 + 6); // length, id
      mask.fill(0, l3 + 10, l3 + 12); // checksum
    } else {
      mask.fill(0, l3 + 4, l3 + 6); // length
    }
    if (tcp) {
      mask.fill(0, l4 + 4, l4 + 8); // sequence number
      mask.fill(0, l4 + 13, l4 + 14); // flags
      mask.fill(0, l4 + 16, l4 + 18); // checksum
    } else {
      mask.fill(0, l4 + 4, l4 + 8); // length, checksum
    }
  }

  /** Words of the headers. The last may go on past them: the mask is 0 there. */
  get count(): number {
    return (this.#length + 3) >> 2;
  }

  /** Whether the packets that start at `a` and `b`, both at least as long as the headers, agree. */
  same(a: number, b: number): boolean {
    return ((a | b) & 3) === 0 ? this.#sameWords(a >> 2, b >> 2) : this.#sameBytes(a, b);
  }

  #sameWords(a: number, b: number): boolean {
    const { words } = this;
    const mask = this.maskWords;
    const { count } = this;
    for (let i = 0; i < count; i++) if (((words[a + i]! ^ words[b + i]!) & mask[i]!) !== 0) return false;
    return true;
  }

  /** In a train of packets whose length is no multiple of 4 most do not start at one. */
  #sameBytes(a: number, b: number): boolean {
    const bytes = this.#bytes;
    const mask = this.#mask;
    for (let i = 0; i < this.#length; i++) {
      if (((bytes[a + i]! ^ bytes[b + i]!) & mask[i]!) !== 0) return false;
    }
    return true;
  }
}
