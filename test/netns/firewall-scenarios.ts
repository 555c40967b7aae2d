/** What `firewall-programs.full.test.ts` runs inside a namespace: hosts on which one of the two kinds of programs is not installed. */
import { execFileSync } from "node:child_process";
import { openFirewall } from "../../src/host/firewall/firewall.ts";
import type { FirewallWish } from "../../src/host/firewall/wish.ts";
import { HostError } from "../../src/host/ip.ts";

const WISH: FirewallWish = {
  networks: [{ family: 4, network: "10.244.0.0/16", subnet: "10.244.1.0/24" }],
  masquerade: true,
  forward: true,
  randomFully: true,
};

/** The folder of these programs holds nothing any more but one; gone with this process's mount namespace. */
function only(program: string): void {
  const script = `set -e
    mkdir -p /mnt
    mount -t tmpfs none /mnt
    cp -a /usr/sbin/xtables-*-multi /usr/sbin/nft /usr/sbin/iptables* /usr/sbin/ip6tables* /mnt
    mount -t tmpfs none /usr/sbin
    [ "$1" = nft ] && cp -a /mnt/nft /usr/sbin || cp -a /mnt/*tables* /usr/sbin`;
  execFileSync("sh", ["-c", script, "sh", program]);
}

async function attempt(kind: "iptables" | "nftables", wish = WISH) {
  try {
    const { firewall, removed } = await openFirewall(kind, wish);
    return { removed, done: await firewall.ensure() };
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    return { code: error.code, message: error.message, remedy: error.remedy };
  }
}

export async function onlyNft() {
  only("nft");
  return [
    await attempt("nftables"),
    await attempt("iptables"),
    await attempt("iptables", { ...WISH, masquerade: false, forward: false }),
  ];
}

export async function onlyIptables() {
  only("iptables");
  return [
    await attempt("iptables"),
    await attempt("nftables"),
    await attempt("nftables", { ...WISH, masquerade: false, forward: false }),
  ];
}
