/**
 * The queueing discipline of our devices. A TAP gets the kernel's default, which queues what the TAP's own ring then
 * queues again, under a lock of its own: without it (`noqueue`) a frame goes straight to the ring, which drops and counts
 * when it is full, as before. Measured: 5 % more throughput of one TCP stream.
 *
 * It is best done before the device is up: then the kernel would make the default one first, which is `mq` with a qdisc
 * for each of the 256 queues that a TAP may get (IFF_MULTI_QUEUE), 10 ms of work and 6 MB of memory.
 */
import { execFile } from "node:child_process";
import { attribute } from "./batch.ts";
import { type HostOptions, plainReason, searchPath } from "./ip.ts";

const TIMEOUT_MS = 20_000;

/**
 * Takes the queueing discipline off devices, with one run of iproute2's `tc`.
 * @returns for each device that keeps it why it does: a pity, and no reason not to start
 */
export function removeQueues(devices: readonly string[], { netns }: HostOptions = {}): Promise<string[]> {
  const args = [...(netns === undefined ? [] : ["-netns", netns]), "-force", "-batch", "-"];
  const env = { ...process.env, PATH: searchPath(), LC_ALL: "C" };
  const keeps = (device: string, why: string): string =>
    `the queueing discipline of ${device} stays as it is: ${why}`;
  return new Promise((resolve) => {
    const child = execFile("tc", args, { env, timeout: TIMEOUT_MS }, (error, _stdout, stderr) => {
      if (error === null) return resolve([]);
      const { reasons, tail } = attribute(stderr);
      const each = [...reasons].map(([line, why]) => keeps(devices[line]!, why));
      if (each.length > 0) return resolve(each);
      const why = error.code === "ENOENT" ? "`tc` is not there" : plainReason(tail) || error.message;
      resolve(devices.map((device) => keeps(device, why)));
    });
    // Where there is no `tc`, nobody reads.
    child.stdin!.on("error", () => {});
    child.stdin!.end(devices.map((device) => `qdisc replace dev ${device} root noqueue\n`).join(""));
  });
}
