/** Nodes that are known by their leases alone, as a cluster's store has them. */

/** Room for all of them, and more: 32,768 subnets. */
export const NET_CONF = JSON.stringify({ Network: "10.128.0.0/9", Backend: { Type: "vxlan" } });

/**
 * @param moved whether with another MAC than at first
 * @returns key and value of a lease each; 10.192.0.0 and above is nobody's else here
 */
export function leases(count, moved = false) {
  return Array.from({ length: count }, (_, i) => {
    const [high, low] = [i >> 8, i & 0xff];
    const VtepMAC = `${macPrefix(moved)}:${hex(high)}:${hex(low)}`;
    const lease = { PublicIP: `198.18.${high}.${low}`, PublicIPv6: null };
    const data = { BackendType: "vxlan", BackendData: { VNI: 1, VtepMAC } };
    return { key: `10.${192 + high}.${low}.0-24`, value: JSON.stringify({ ...lease, ...data }) };
  });
}

/** What the MACs of all leases begin with. */
export function macPrefix(moved) {
  return moved ? "02:00:00:01" : "02:00:00:00";
}

function hex(byte) {
  return byte.toString(16).padStart(2, "0");
}
