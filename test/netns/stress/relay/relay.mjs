// A bad network between two VTEPs, as a process in the host between them (`../relay.ts`). Each of the two knows it by
// the address it has on that side, and takes it for the other one.
//
//   argument   JSON { sides: [{ local, peer }, { local, peer }], family, mtu, seed, rates, gro, gso }
//   output     a line of JSON for each line of input: what was done so far, for each direction
//
// gro: receive trains of datagrams, and treat each datagram in them apart. gso: send trains again.
import { createInterface } from "node:readline";
import { addressBytes } from "../../../../dist/control/address.js";
import { Arena } from "../../../../dist/dataplane/arena.js";
import { ADDRESS_BYTES, writeSockaddr } from "../../../../dist/fdb/sockaddr.js";
import { loadShim, POLLIN } from "../../../../dist/io/linux/shim.js";
import { openUdp } from "../../../../dist/io/linux/udp.js";
import { Departures } from "./departures.mjs";
import { WAY_SLOTS, Way } from "./way.mjs";

const PORT = 8472;
/** The largest UDP payload, rounded up to a cache line. */
const SLOT = 65_536;
const BUFFER = 8 << 20;
/** Milliseconds between two looks at what is held. */
const TICK = 5;

const { sides, family, mtu, seed, rates, gro, gso } = JSON.parse(process.argv[2]);
const shim = loadShim();
const whole = mtu - (family === 4 ? 20 : 40) - 8;

const sockets = sides.map(({ local, peer }) => {
  const buffers = { receiveBuffer: BUFFER, sendBuffer: BUFFER };
  const plain = { reusePort: false, noCheck: false, dontFragment: false, ttl: 0 };
  const { fd } = openUdp({ family, address: local, port: PORT, gro, ...buffers, ...plain });
  const address = new Uint8Array(ADDRESS_BYTES);
  writeSockaddr(address, 0, addressBytes(peer), PORT);
  return { fd, address };
});

function way(from, to, number) {
  const arena = new Arena(Object.values(WAY_SLOTS).reduce((sum, n) => sum + n * SLOT, 0));
  const pools = Object.fromEntries(
    Object.entries(WAY_SLOTS).map(([name, count]) => [name, arena.carvePool(SLOT, count)]),
  );
  const departures = new Departures(shim, to.fd, to.address, pools.leaving, { gso, whole });
  return new Way(shim, from.fd, departures, pools, { seed: seed + number, rates });
}

const [a, b] = sockets;
const ways = [way(a, b, 0), way(b, a, 1)];
for (const [i, one] of ways.entries()) shim.watch(sockets[i].fd, () => one.pump()).update(POLLIN);
setInterval(() => {
  for (const one of ways) one.tick();
}, TICK);

createInterface({ input: process.stdin })
  .on("line", () => process.stdout.write(`${JSON.stringify(ways.map((one) => one.report()))}\n`))
  .on("close", () => process.exit(0));
