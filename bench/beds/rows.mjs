/** Peers that are not there: what a node of a large cluster has in its tables beside the one that it talks to. */

/** @returns plans, as far as tables need them; 172.19.16.0 and 10.(100…).x.0 are nobody's in a bed */
export function strangers(count) {
  return Array.from({ length: count }, (_, i) => {
    const [high, low] = [i >> 8, i & 0xff];
    return {
      address: `172.19.${16 + high}.${low}`,
      subnet: `10.${100 + high}.${low}.0/24`,
      overlay: `10.${100 + high}.${low}.0`,
      vtepMac: `0a:58:0b:00:${hex(high)}:${hex(low)}`,
    };
  });
}

function hex(byte) {
  return byte.toString(16).padStart(2, "0");
}
