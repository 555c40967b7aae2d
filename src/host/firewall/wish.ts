/** What the firewall has to do for a node of a flannel network. */

/** One family's networks. */
export interface Masqueraded {
  readonly family: 4 | 6;
  /** CIDR of all pods, canonical, without host bits: as iptables prints it. */
  readonly network: string;
  /** CIDR of this node's pods, likewise. */
  readonly subnet: string;
}

export interface FirewallWish {
  readonly networks: readonly Masqueraded[];
  /** Pods reach what is outside under this node's address (--ip-masq). */
  readonly masquerade: boolean;
  /** Pods' packets pass where FORWARD drops (--iptables-forward-rules). */
  readonly forward: boolean;
  /** Source ports of masqueraded flows at random: no races of conntrack between two flows (--random-fully). */
  readonly randomFully: boolean;
}

/** What keeps the rules of one node. */
export interface Firewall {
  /**
   * Puts right what is not as it should be.
   * @returns what was done, a line each; none where all was in place
   * @throws HostError
   */
  ensure(): Promise<string[]>;
}

/** What kube-proxy marks to be masqueraded by its own rule: twice would be once too often. */
export const KUBE_PROXY_MARK = "0x4000";

/** Groups of IPv4 (RFC 5771) and IPv6 (RFC 4291): a packet to one leaves under the pod's own address. */
export const GROUPS = { 4: "224.0.0.0/4", 6: "ff00::/8" } as const;
