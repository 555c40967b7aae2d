/** What this process, and an agent started like it, may do. */
import type { Check } from "../check.ts";
import type { Rights } from "../evidence.ts";

/** /proc/self/status says so; nothing else is as sure. */
const FROM_PROC = "CapEff in /proc/self/status";

/** Other failures are not about rights: loopback is down, or the shim is not built. */
export function mayNotEcho({ echo: { code } }: Rights): boolean {
  return code === "EACCES" || code === "EPERM";
}

export const RIGHTS: readonly Check[] = [
  {
    code: "no-net-admin",
    group: "rights",
    severity: "error",
    about: "this process has CAP_NET_ADMIN",
    why: "without it nobody makes a TAP, sets a route or reads firewall rules",
    cure: "run it as root, or with the capability: `setpriv --ambient-caps +net_admin --inh-caps +net_admin …`",
    judge: ({ rights }) =>
      rights.netAdmin
        ? []
        : [
            {
              seen: "the capability CAP_NET_ADMIN is missing",
              proof: FROM_PROC,
              remedy: "run it again with sudo",
            },
          ],
  },
  {
    code: "no-net-raw",
    group: "rights",
    severity: "warning",
    about: "echo requests can be sent",
    why: "without them no path MTU is found by probing, no peer is pinged, and the underlay `raw` does not open",
    cure: "run it as root, with CAP_NET_RAW, or with a group in `net.ipv4.ping_group_range`",
    judge: ({ rights }) =>
      !mayNotEcho(rights)
        ? []
        : [
            {
              seen: `no socket for ICMP: ${rights.echo.message}`,
              proof: "one was opened, raw and for ping",
              remedy: "give it CAP_NET_RAW, or run it as root",
            },
          ],
  },
  {
    code: "tun-missing",
    group: "rights",
    severity: "error",
    about: "/dev/net/tun can be opened",
    why: "the agent's device is a TAP, and is made through /dev/net/tun",
    cure: "`modprobe tun`; in a container mount the device, and allow it (`DeviceAllow=/dev/net/tun rw` in systemd)",
    judge: ({ tun }) =>
      tun.code === ""
        ? []
        : [
            {
              seen: tun.message,
              proof: "it was opened for reading and writing",
              remedy:
                tun.code === "EACCES" || tun.code === "EPERM"
                  ? "run it as root, or allow the device for this service or container"
                  : "modprobe tun, or `mknod /dev/net/tun c 10 200` in a container that may",
            },
          ],
  },
];
