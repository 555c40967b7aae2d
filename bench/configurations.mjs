/**
 * What is measured beside what. A configuration:
 *
 *   name, title   in results, and for people
 *   module        the file in `beds/` that starts it, and `spec`, what it is told
 *   kind          "kernel", "poplin", or "peer": another tunnel
 *   own           measured by every test; otherwise by those that are `shared` only
 *   peer          measured in fewer runs
 *   missing()     what to install when it is not there; undefined when it is
 *   mtu           of the overlay
 */

import { which } from "../scripts/setup/run.mjs";
import { UsageError } from "./cli/options.mjs";

const KERNEL = {
  ...{ name: "kernel", title: "kernel VXLAN", kind: "kernel", module: "kernel", own: true, mtu: 1450 },
};

const PEERS = [
  kernel("kernel-cut", "kernel, no underlay offloads", "underlay-off"),
  kernel("kernel-off", "kernel, no offloads", "off"),
  peer("naive", "Node, a packet at a time", 1450),
  peer("wireguard", "wireguard-go (encrypts)", 1420, ["wireguard-go"], "wireguard-go"),
  peer(
    "ovs",
    "Open vSwitch, userspace",
    1450,
    ["ovs-vswitchd", "ovsdb-server", "ovsdb-tool"],
    "openvswitch-switch",
  ),
  peer("tinc", "tinc, no cipher", 1450, ["tincd"], "tinc"),
  peer("nebula", "nebula (encrypts)", 1440, ["nebula", "nebula-cert"], "nebula"),
];

/** @param options what `cli/options.mjs` returns @param other `{ name, root, args }` of --compare, or null */
export function configurations({ only, poplinArgs, variants }, other) {
  const poplin = { kind: "poplin", module: "poplin", own: true, mtu: 1450 };
  const all = [
    KERNEL,
    { ...poplin, name: "poplin", title: "poplin", spec: { args: poplinArgs } },
    ...variants.map(({ name, args }) => ({
      ...{ ...poplin, name, title: `poplin, ${name}`, spec: { args: [...poplinArgs, ...args] } },
    })),
    ...(other === null ? [] : [{ ...poplin, name: other.name, title: other.name, spec: other }]),
    ...(only.includes("peers") ? PEERS : []),
  ];
  const names = all.map(({ name }) => name);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw new UsageError(`there is another "${twice}": give the variant another name`);
  return all;
}

function kernel(name, title, offloads) {
  return { name, title, kind: "kernel", module: "kernel", peer: true, spec: { offloads }, mtu: 1450 };
}

function peer(name, title, mtu, programs = [], apt = null) {
  const missing = () => {
    const gone = programs.filter((program) => which(program) === undefined);
    return gone.length === 0 ? undefined : `there is no ${gone.join(", ")}: apt-get install ${apt}`;
  };
  return { name, title, kind: "peer", module: name, peer: true, missing, mtu };
}
