/** flannel's tables for nftables, word for word; `test/netns/firewall-nft.full.test.ts` shows what they do. */
import { expect, it } from "vitest";
import { NFT_TABLES, nftScript } from "../../../src/host/firewall/nft-rules.ts";
import type { FirewallWish } from "../../../src/host/firewall/wish.ts";

const WISH: FirewallWish = {
  networks: [{ family: 4, network: "10.244.0.0/16", subnet: "10.244.1.0/24" }],
  masquerade: true,
  forward: true,
  randomFully: true,
};

it("the table of IPv4 is made anew with flannel's chains and rules", () => {
  expect(nftScript(NFT_TABLES[0], WISH)).toBe(`table ip flannel-ipv4
delete table ip flannel-ipv4
table ip flannel-ipv4 {
\tchain postrtg {
\t\ttype nat hook postrouting priority srcnat; policy accept;
\t\tmeta mark & 0x4000 == 0x4000 return
\t\tip saddr 10.244.1.0/24 ip daddr 10.244.0.0/16 return
\t\tip saddr 10.244.0.0/16 ip daddr 10.244.1.0/24 return
\t\tip saddr != 10.244.0.0/16 ip daddr 10.244.1.0/24 return
\t\tip saddr 10.244.0.0/16 ip daddr != 224.0.0.0/4 masquerade fully-random
\t\tip saddr != 10.244.0.0/16 ip daddr 10.244.0.0/16 masquerade fully-random
\t}
\tchain forward {
\t\ttype filter hook forward priority filter; policy accept;
\t\tip saddr 10.244.0.0/16 accept
\t\tip daddr 10.244.0.0/16 accept
\t}
}
`);
});

it("a family that is off has a table with empty chains, as flanneld makes it", () => {
  expect(nftScript(NFT_TABLES[1], WISH)).toBe(`table ip6 flannel-ipv6
delete table ip6 flannel-ipv6
table ip6 flannel-ipv6 {
\tchain postrtg {
\t\ttype nat hook postrouting priority srcnat; policy accept;
\t}
\tchain forward {
\t\ttype filter hook forward priority filter; policy accept;
\t}
}
`);
});

it("what is not wished has no rules", () => {
  const networks = [{ family: 6, network: "fd00:10:244::/48", subnet: "fd00:10:244:1::/64" }] as const;
  const script = nftScript(NFT_TABLES[1], { ...WISH, networks, masquerade: false });
  expect(script).not.toContain("masquerade");
  expect(script).toContain("ip6 saddr fd00:10:244::/48 accept");
  const other = nftScript(NFT_TABLES[1], { ...WISH, networks, forward: false, randomFully: false });
  expect(other).not.toContain("accept\n\t\tip6");
  expect(other).toContain("ip6 saddr fd00:10:244::/48 ip6 daddr != ff00::/8 masquerade\n");
});
