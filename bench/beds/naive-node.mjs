/**
 * The baseline: a VXLAN node with node:fs and node:dgram, a packet at a time, one peer, no table. What poplin's
 * batches, arena and offloads have to be worth is the distance to this.
 *
 *   argument: JSON { device, vni, local, peer, port }
 */
import { createSocket } from "node:dgram";
import { read, write } from "node:fs";
import { loadShim, POLLIN } from "../../dist/io/linux/shim.js";

const IFF_TAP = 0x0002;
const IFF_NO_PI = 0x1000;
const HEADER = 8;

const { device, vni, local, peer, port } = JSON.parse(process.argv[2]);
// Node cannot make a TAP by itself: it has no ioctl, and it cannot wait for one without uv_poll.
const shim = loadShim();
const { fd } = shim.tapOpen(device, IFF_TAP | IFF_NO_PI, 0, 0);
const socket = createSocket({ type: "udp4", recvBufferSize: 4 << 20, sendBufferSize: 4 << 20 });

/** Frame → datagram. */
function readFrame() {
  const packet = Buffer.alloc(2048);
  read(fd, packet, HEADER, packet.length - HEADER, null, (error, length) => {
    if (error) return watch.update(POLLIN); // EAGAIN: nothing there
    packet.writeUInt32BE(0x0800_0000, 0);
    packet.writeUInt32BE(vni << 8, 4);
    socket.send(packet, 0, HEADER + length, port, peer);
    readFrame();
  });
}

const watch = shim.watch(fd, () => {
  watch.update(0);
  readFrame();
});

/** Datagram → frame. */
socket.on("message", (packet) => {
  if (packet.length < HEADER || packet.readUInt32BE(4) >>> 8 !== vni) return;
  write(fd, packet, HEADER, packet.length - HEADER, null, () => {});
});

socket.bind(port, local, () => {
  watch.update(POLLIN);
  console.log("ready");
});
