/** Congestion marks: whether pods ask for them, and what their kernels have seen of them. */
import type { Host } from "../../../src/lab/host.ts";

export interface EcnCounters {
  /** Packets that came with CE, IPv4 and IPv6 (RFC 3168). */
  readonly marked4: number;
  readonly marked6: number;
  /** Segments of ours of which the other end has said, by ECE, that they came with CE. */
  readonly echoed: number;
}

/** Makes TCP of a host ask for marks: net.ipv4.tcp_ecn is 2 by default, on request only. */
export function useEcn(host: Host): void {
  host.sysctl({ "net/ipv4/tcp_ecn": 1 });
}

export async function ecnCounters(host: Host): Promise<EcnCounters> {
  const { stdout: netstat } = await host.exec("cat", ["/proc/net/netstat"]);
  const { stdout: snmp6 } = await host.exec("cat", ["/proc/net/snmp6"]);
  return {
    marked4: inTable(netstat, "IpExt", "InCEPkts"),
    marked6: Number(/^Ip6InCEPkts\s+(\d+)/m.exec(snmp6)![1]),
    echoed: inTable(netstat, "TcpExt", "TCPDeliveredCE"),
  };
}

/** A counter of /proc/net/netstat: a line of names, then one of values. */
function inTable(text: string, table: string, name: string): number {
  const [names, values] = text
    .split("\n")
    .filter((line) => line.startsWith(`${table}:`))
    .map((line) => line.split(" "));
  const at = names!.indexOf(name);
  if (at < 0) throw new Error(`this kernel has no ${table}: ${name}`);
  return Number(values![at]);
}
