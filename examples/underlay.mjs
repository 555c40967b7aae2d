/**
 * An underlay of one's own: whatever can carry a datagram can carry an overlay. Here two dataplanes talk over a MessageChannel,
 * as they could over a WebSocket or a serial line. An underlay receives datagrams into slots of the ring that it is given,
 * and sends what stands in the rows of another; nothing is copied that need not be.
 *
 *   node examples/underlay.mjs        (after `npm run setup`)
 */
import { MessageChannel } from "node:worker_threads";
import { Dataplane, EventDriver, HEAD_LENGTH, HEAD_OFFSET, LENGTH, OFFSET, VXLAN_AT } from "poplin/dataplane";
import { ADDRESS_BYTES, writeSockaddr } from "poplin/fdb";
import { MemoryTap } from "poplin/io";
import { summarize } from "poplin/teach";

const CAPABILITIES = {
  ...{ sendTos: false, recvTos: false, df: false, ttl: false, ttlPerPacket: false, flowLabel: false },
  ...{ acceptsNoCheck6: true, sourcePort: false, gso: false, gro: false, checksum: "zero" },
};

class MessageUnderlay {
  kind = "messages";
  fd = -1;
  family = 4;
  capabilities = CAPABILITIES;
  sourcePorts = new Uint16Array(0);
  #port;
  #peer;
  #waiting = [];
  #wake = null;

  constructor(port, peer) {
    this.#port = port;
    this.#peer = peer;
    port.on("message", (bytes) => {
      this.#waiting.push(bytes);
      this.#wake?.(); // the dataplane has a turn
    });
  }

  recvBatch(ring, max) {
    const count = ring.prepare(Math.min(max, this.#waiting.length), VXLAN_AT); // free slots, as far as there are any
    for (let i = 0; i < count; i++) {
      const bytes = this.#waiting.shift();
      const row = ring.row(ring.head + i);
      ring.bytes.set(bytes, ring.words[row + OFFSET]);
      ring.words[row + LENGTH] = bytes.length;
      writeSockaddr(ring.addresses, ((ring.head + i) & ring.mask) * ADDRESS_BYTES, this.#peer, 8472);
    }
    ring.publish(count, count);
    return count;
  }

  sendBatch(ring, _addresses, count = ring.length) {
    for (let i = 0; i < count; i++) {
      const row = ring.row(ring.tail + i);
      const [head, body] = [HEAD_OFFSET, OFFSET].map((word) => ring.words[row + word]);
      const [headLength, length] = [HEAD_LENGTH, LENGTH].map((word) => ring.words[row + word]);
      const datagram = new Uint8Array(headLength + length);
      datagram.set(ring.bytes.subarray(head, head + headLength));
      datagram.set(ring.bytes.subarray(body, body + length), headLength);
      this.#port.postMessage(datagram);
    }
    ring.complete(count); // the slots are free again
    return count;
  }

  overflows = () => 0;
  setWake(wake) {
    this.#wake = wake;
  }
  setInterest() {}
  close() {
    this.#port.close();
  }
}

const { port1, port2 } = new MessageChannel();
const [here, there] = [Uint8Array.of(192, 0, 2, 1), Uint8Array.of(192, 0, 2, 2)];
const [macHere, macThere] = ["0e:2a:00:00:00:01", "0e:2a:00:00:00:02"];

function node(port, mac, peerMac, peer) {
  const [tap, underlay] = [new MemoryTap(), new MessageUnderlay(port, peer)];
  const options = { vni: 1, mac, mtu: 1450, reservedBits: "rfc", senderCheck: "strict", tos: 0 };
  const dataplane = new Dataplane(options, tap, underlay);
  dataplane.update({ op: "add", mac: peerMac, address: peer, port: 8472 });
  const driver = new EventDriver(dataplane.loop, tap, underlay, () => {});
  driver.start();
  return { tap, driver, underlay };
}

const a = node(port1, macHere, macThere, there);
const b = node(port2, macThere, macHere, here);
const frame = Uint8Array.from([
  ...[0x0e, 0x2a, 0, 0, 0, 2, 0x0e, 0x2a, 0, 0, 0, 1, 0x08, 0x06], // Ethernet: to, from, ARP
  ...[0, 1, 0x08, 0, 6, 4, 0, 1, 0x0e, 0x2a, 0, 0, 0, 1, 10, 244, 1, 0, 0, 0, 0, 0, 0, 0, 10, 244, 2, 0],
]);
const arrived = new Promise((resolve) => b.tap.onFrame(resolve));
a.tap.inject(frame);
console.log(`over messages came: ${summarize((await arrived).frame)}`);
for (const { driver, underlay } of [a, b]) {
  driver.stop();
  underlay.close();
}
