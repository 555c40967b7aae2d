/** What somebody does with `ip`, in this order, and the first reason to look that the monitor finds in it. */
export const REASONS: Readonly<Record<string, string>> = {
  "route del 10.244.2.0/24": "10.244.2.0/24 dev flannel.1 deleted",
  "neigh del 10.244.2.0 dev flannel.1": "neighbour 10.244.2.0 dev flannel.1 set",
  "address del 10.244.1.0/32 dev flannel.1": "10.244.1.0/32 dev flannel.1 deleted",
  "link set flannel.1 address 02:ca:fe:00:00:99": "flannel.1 changed",
  "link set flannel.1 mtu 1300": "flannel.1 changed",
  "link set flannel.1 down": "flannel.1 changed",
  "link set flannel.1 name other": "flannel.1 changed",
  "link set other name flannel.1": "flannel.1 changed",
  "address add 192.168.7.1/24 dev eth0": "192.168.7.1/24 dev eth0 set",
  "address del 192.168.9.1/24 dev eth0": "192.168.9.1/24 dev eth0 deleted",
  "link set eth0 mtu 1400": "eth0 up",
  "link set eth0 down": "eth0 down",
  "link set eth0 up": "eth0 without carrier", // it is found a moment later
  "link del flannel.1": "flannel.1 deleted", // while it is down
  "link add flannel.1 type bridge": "flannel.1 changed",
  "address add 10.244.1.0/32 dev flannel.1": "10.244.1.0/32 dev flannel.1 set",
  "link set flannel.1 up": "flannel.1 changed",
  "route add 10.244.2.0/24 via 10.244.2.0 dev flannel.1 onlink": "10.244.2.0/24 dev flannel.1 set",
  "route replace 10.244.2.0/24 dev cni0": "10.244.2.0/24 replaced",
};
