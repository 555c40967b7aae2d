/** What ADD has made, as the runtime remembers it, made fit for the delegate's CHECK. */

type Json = Readonly<Record<string, unknown>>;

/**
 * A route without a gateway was made by that of the pod's address, as CNI has it. bridge (1.1.1) does so at ADD, looks
 * for a route without one at CHECK, and does not find its own: so here the gateway is filled in.
 */
export function withGateways(result: Json): Json {
  const routes = list(result.routes);
  const gateways = list(result.ips).map(({ gateway }) => gateway);
  const gatewayOf = (dst: unknown): unknown => gateways.find((one) => isIpv6(one) === isIpv6(dst));
  return {
    ...result,
    routes: routes.map((route) => {
      const gw = route.gw ?? gatewayOf(route.dst);
      return gw === undefined ? route : { ...route, gw };
    }),
  };
}

function list(value: unknown): readonly Json[] {
  return Array.isArray(value) ? value : [];
}

function isIpv6(text: unknown): boolean {
  return String(text).includes(":");
}
