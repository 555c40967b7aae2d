/** The overlay's device: as the agent made it, or as somebody has changed it since. */
import type { Check } from "../check.ts";
import { ofDevice, ofOverlay, TWICE } from "./of-overlay.ts";

export const DEVICE: readonly Check[] = [
  ofOverlay("device", {
    code: "device-missing",
    severity: "error",
    about: "the device is there",
    why: "routes to other nodes' pods went with it",
    cure: "the agent makes it anew within a second; where it cannot, its log says why",
    judge: ({ link, status: { device } }) =>
      link === null
        ? [
            {
              seen: `there is no ${device.name}`,
              proof: TWICE,
              remedy: "look at the agent's log; restart it",
            },
          ]
        : [],
  }),
  ofDevice({
    code: "device-down",
    severity: "error",
    about: "the device is up",
    why: "the kernel has no routes through a device that is down",
    cure: "`ip link set NAME up`",
    judge: ({ link }) =>
      link!.up
        ? []
        : [{ seen: `${link!.name} is down`, proof: TWICE, remedy: `ip link set ${link!.name} up` }],
  }),
  ofDevice({
    code: "mac-changed",
    severity: "error",
    about: "the device has the MAC that others know",
    why: "frames for another MAC are taken for somebody else's, and dropped without a word",
    cure: "`poplin reconcile`; have systemd's MACAddressPolicy and network managers leave the device alone",
    judge: ({ link, status: { device } }) =>
      link!.mac === device.mac
        ? []
        : [
            {
              seen: `${device.name} has the MAC ${link!.mac}, and others know it as ${device.mac}`,
              proof: TWICE,
              remedy: `poplin reconcile, or \`ip link set ${device.name} address ${device.mac}\``,
            },
          ],
  }),
  ofDevice({
    code: "mtu-changed",
    severity: "error",
    about: "the device has the MTU that the agent gave it",
    why: "larger frames are dropped here as PKT_TOO_BIG",
    cure: "`poplin reconcile`, or the setting `mtu` and a restart",
    judge: ({ link, status: { device } }) =>
      link!.mtu === device.mtu
        ? []
        : [
            {
              seen: `${device.name} has an MTU of ${link!.mtu}, the agent gave it ${device.mtu}`,
              proof: TWICE,
              remedy: `poplin reconcile, or \`ip link set ${device.name} mtu ${device.mtu}\``,
            },
          ],
  }),
  ofDevice({
    code: "mtu-too-big",
    severity: "error",
    about: "a full packet of the overlay fits the uplink",
    why: "larger ones are fragmented, and many networks drop fragments: small packets pass, transfers hang",
    cure: "leave `mtu` out, or set it to the uplink's less 50 (less 70 over IPv6), and restart the agent",
    judge: ({ fullSize, status: { device }, carrier: { uplink, family } }) =>
      fullSize === ""
        ? []
        : [
            {
              seen: `${device.name} has an MTU of ${device.mtu}, more than ${uplink} leaves`,
              proof: `an echo request of ${device.mtu + (family === 4 ? 50 : 70)} bytes with DF set did not leave (${fullSize})`,
              remedy: `leave \`mtu\` out of the configuration, and restart the agent`,
            },
          ],
  }),
  ofDevice({
    code: "no-vnet-header",
    severity: "error",
    about: "the device is a TAP with vnet headers and several queues",
    why: "a TAP keeps the flags that it was made with; without them no offload works",
    cure: "delete the device: the agent makes it anew",
    judge: ({ link }) => {
      const { tun, name } = link!;
      const lacks =
        tun === null
          ? "is no TAP"
          : !tun.vnetHeader
            ? "has no vnet header"
            : tun.multiQueue
              ? ""
              : "has one queue";
      if (lacks === "") return [];
      const proof = `\`ip -details link show ${name}\``;
      return [{ seen: `${name} ${lacks}`, proof, remedy: `ip link del ${name}, and restart the agent` }];
    },
  }),
  ofDevice({
    code: "queue-taken",
    severity: "error",
    about: "nobody else reads from the device",
    why: "each queue gets a share of the frames: what the other process gets is lost",
    cure: "stop the other process",
    judge: ({ sharers, link }) =>
      sharers.map(({ command, pid }) => ({
        seen: `${command} (pid ${pid}) holds a queue of ${link!.name}, too`,
        proof: `/proc/${pid}/fdinfo names the device`,
        remedy: `stop pid ${pid}`,
      })),
  }),
  ofDevice({
    code: "qdisc",
    severity: "warning",
    about: "the device has no queueing discipline",
    why: "it queues what the TAP queues again, or drops and delays on somebody's behalf (netem, tbf)",
    cure: "`tc qdisc replace dev NAME root noqueue`",
    judge: ({ qdisc, link }) =>
      qdisc === null || qdisc === "noqueue"
        ? []
        : [
            {
              seen: `${link!.name} has the qdisc ${qdisc}`,
              proof: `\`ip link show ${link!.name}\``,
              remedy: `tc qdisc replace dev ${link!.name} root noqueue`,
            },
          ],
  }),
];
