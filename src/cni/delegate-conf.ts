/**
 * flannel's network configuration and subnet.env → the configuration of the plugin that does the work, most often
 * `bridge`. The rules of flannel's own plugin, and the one place that knows them: `plugin.ts` applies them for each pod,
 * `conflist.ts` once for all.
 */
import type { FlannelConf } from "./conf.ts";
import type { PodNetwork } from "./pod-network.ts";

export interface DelegateConf extends Readonly<Record<string, unknown>> {
  readonly name: string;
  readonly type: string;
}

/** Pure. What the operator has set in `delegate` stays; name, ranges and cniVersion are flannel's to say. */
export function delegateConf(conf: FlannelConf, pods: PodNetwork): DelegateConf {
  const { name, cniVersion, delegate, ipam, runtimeConfig } = conf;
  const type = (delegate.type as string | undefined) ?? "bridge";
  return {
    // Where the node masquerades the delegate must not, and the other way round.
    ipMasq: !pods.ipMasq,
    mtu: pods.mtu,
    ...(type === "bridge" ? { isGateway: true } : {}),
    ...delegate,
    name,
    type,
    ...(cniVersion === undefined ? {} : { cniVersion }),
    ...(runtimeConfig === undefined ? {} : { runtimeConfig }),
    ipam: {
      type: "host-local",
      ...ipam,
      ranges: pods.subnets.map((subnet) => [{ subnet }]),
      routes: [...(ipam.routes ?? []), ...pods.networks.map((dst) => ({ dst }))],
    },
  };
}
