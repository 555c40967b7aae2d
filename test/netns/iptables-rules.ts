/** Rules as `iptables -S` lists them and `iptables-restore` reads them: other people's, and what breaks flannel's. */

/** Somebody else's rules, before and after ours. */
export const FOREIGN = `*nat
:KUBE-POSTROUTING - [0:0]
-A POSTROUTING -m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING
-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN
-A KUBE-POSTROUTING -j MASQUERADE --random-fully
COMMIT
*filter
-A FORWARD -s 192.0.2.0/24 -j DROP
COMMIT
`;

/** The chains of the kernel's, with ours and theirs. */
export const POSTROUTING = `-P POSTROUTING ACCEPT
-A POSTROUTING -m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING
-A POSTROUTING -m comment --comment "flanneld masq" -j FLANNEL-POSTRTG
`;
export const FORWARD = `-P FORWARD ACCEPT
-A FORWARD -s 192.0.2.0/24 -j DROP
-A FORWARD -m comment --comment "flanneld forward" -j FLANNEL-FWD
`;

/** What one may do to the rules in the two chains, line by line. */
export const DAMAGES: readonly (readonly [string, string])[] = [
  ["somebody flushed our chain", "-t nat -F FLANNEL-POSTRTG"],
  ["a rule is gone", "-t nat -D FLANNEL-POSTRTG 4"],
  ["the rule of kube-proxy's mark is gone", "-t nat -D FLANNEL-POSTRTG 1"],
  [
    "the rule of kube-proxy's mark is the last",
    `-t nat -D FLANNEL-POSTRTG 1
-t nat -A FLANNEL-POSTRTG -m mark --mark 0x4000/0x4000 -m comment --comment "flanneld masq" -j RETURN`,
  ],
  [
    "the order is wrong",
    `-t nat -D FLANNEL-POSTRTG 2
-t nat -A FLANNEL-POSTRTG -s 10.244.0.0/24 -d 10.244.0.0/16 -m comment --comment "flanneld masq" -j RETURN`,
  ],
  [
    "a rule is there twice",
    '-t nat -A FLANNEL-POSTRTG ! -s 10.244.0.0/16 -d 10.244.0.0/24 -m comment --comment "flanneld masq" -j RETURN',
  ],
  ["the jump is gone", '-t nat -D POSTROUTING -m comment --comment "flanneld masq" -j FLANNEL-POSTRTG'],
  [
    "the jump is there twice",
    '-t nat -A POSTROUTING -m comment --comment "flanneld masq" -j FLANNEL-POSTRTG',
  ],
  ["a rule of the other table is gone", "-t filter -D FLANNEL-FWD 1"],
  [
    "a chain is gone",
    `-t filter -D FORWARD -m comment --comment "flanneld forward" -j FLANNEL-FWD
-t filter -F FLANNEL-FWD
-t filter -X FLANNEL-FWD`,
  ],
];
