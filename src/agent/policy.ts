/** From the configuration to what the dataplane is told: what a reload can change, and what it cannot. */
import type { DataplaneOptions, DataplanePolicy, ProxyPolicy } from "../dataplane/options.ts";
import type { GroupPolicy } from "../wire/vxlan.ts";
import type { PolicyStatus } from "./api/status-types.ts";
import type { OverlayConfig } from "./config/load.ts";

/** What can change while packets flow. */
export function policyOf(config: OverlayConfig): DataplanePolicy {
  const { reservedBits, senderCheck, tos, vlan, learning, ageing, maxaddress, floodRate } = config;
  const headers = { reservedBits, senderCheck, tos, vlan, gbp: groupOf(config) };
  return { ...headers, learning, ageing, maxaddress, floodRate, proxy: proxyOf(config) };
}

/** What is fixed at start, since the sockets are opened for it. DF is IPv4's, the flow label IPv6's. */
export function headerOptions(config: OverlayConfig): Pick<DataplaneOptions, "ttl" | "df" | "flowLabel"> {
  const { ttl, df, family, flowlabel } = config;
  return {
    ttl: ttl === "inherit" ? ttl : undefined,
    df: inheritsDf(config) && df === "inherit" ? df : undefined,
    flowLabel: family === 6 ? flowlabel : 0,
  };
}

/** Whether DF goes by the inner header. The outer IPv6 header has none, and then there is nothing to do. */
export function inheritsDf({ df, family }: Pick<OverlayConfig, "df" | "family">): boolean {
  return df === "inherit" && family === 4;
}

/** What `poplin status` says of it. */
export function describePolicy(config: OverlayConfig): PolicyStatus {
  const { senderCheck, reservedBits, tos, ttl, df, flowlabel, udp6zerocsumrx, vlan } = config;
  return { senderCheck, reservedBits, tos, ttl, df, flowlabel, udp6zerocsumrx, vlan, gbp: groupOf(config) };
}

function proxyOf({ proxy, proxyUnknown, l2miss, l3miss }: OverlayConfig): ProxyPolicy {
  return { on: proxy, unknown: proxyUnknown, l2miss, l3miss };
}

function groupOf({ gbp }: OverlayConfig): GroupPolicy | null {
  return gbp === "off" ? null : gbp;
}
