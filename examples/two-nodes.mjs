/**
 * poplin as a library: a dataplane of one's own, between a TAP and an underlay in memory. A frame goes in on one side,
 * a datagram comes out on the other, and the decoder names its bytes.
 *
 *   node examples/two-nodes.mjs        (after `npm run setup`)
 */
import { Dataplane, EventDriver } from "poplin/dataplane";
import { MemoryNetwork, MemoryTap } from "poplin/io";
import { decodePacket, formatValue, isHeader } from "poplin/wire";

const network = new MemoryNetwork();
const [here, there] = [Uint8Array.of(192, 168, 0, 1), Uint8Array.of(192, 168, 0, 2)];

/** One node: its pod's side of the TAP, and the dataplane behind it. */
function node(mac, address, peerMac, peerAddress) {
  const tap = new MemoryTap();
  const underlay = network.attach({ address, port: 8472 });
  const options = { vni: 1, mac, mtu: 1450, reservedBits: "rfc", senderCheck: "strict", tos: 0 };
  const dataplane = new Dataplane(options, tap, underlay);
  dataplane.update({ op: "add", mac: peerMac, address: peerAddress, port: 8472 });
  const driver = new EventDriver(dataplane.loop, tap, underlay, () => {});
  driver.start();
  return { tap, dataplane, driver };
}

const a = node("0e:2a:00:00:00:01", here, "0e:2a:00:00:00:02", there);
const b = node("0e:2a:00:00:00:02", there, "0e:2a:00:00:00:01", here);

// An ARP request as the pod behind node a might send it, addressed to node b's device.
const frame = Uint8Array.from([
  ...[0x0e, 0x2a, 0, 0, 0, 2, 0x0e, 0x2a, 0, 0, 0, 1, 0x08, 0x06], // Ethernet: to, from, ARP
  ...[0, 1, 0x08, 0, 6, 4, 0, 1, 0x0e, 0x2a, 0, 0, 0, 1, 10, 244, 1, 0, 0, 0, 0, 0, 0, 0, 10, 244, 2, 0],
]);
const arrived = new Promise((resolve) => b.tap.onFrame(resolve));
a.tap.inject(frame);
const written = await arrived;
a.driver.stop();
b.driver.stop();

console.log(`${frame.length} bytes in, ${written.frame.length} bytes out, carried over UDP 8472 as`);
const payload = Uint8Array.from([8, 0, 0, 0, 0, 0, 1, 0, ...written.frame]);
for (const part of decodePacket(payload, { layer: "udp-payload" }).parts.filter(isHeader)) {
  console.log(part.table.name);
  for (const { field, value } of part.fields) console.log(`  ${field.name} = ${formatValue(field, value)}`);
}
