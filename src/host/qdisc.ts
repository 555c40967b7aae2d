/**
 * The queueing discipline of our device. A TAP gets the kernel's default, which queues what the TAP's own ring then
 * queues again, under a lock of its own: without it (`noqueue`) a frame goes straight to the ring, which drops and counts
 * when it is full, as before. Measured: 5 % more throughput of one TCP stream.
 */
import { execFile } from "node:child_process";
import { type HostOptions, plainReason, searchPath } from "./ip.ts";

const TIMEOUT_MS = 5000;

/**
 * Takes the queueing discipline off a device, with iproute2's `tc`.
 * @returns null, or why it is still there: a pity, and no reason not to start
 */
export function removeQueue(device: string, { netns }: HostOptions = {}): Promise<string | null> {
  const args = [
    ...(netns === undefined ? [] : ["-netns", netns]),
    ...["qdisc", "replace", "dev", device, "root", "noqueue"],
  ];
  const env = { ...process.env, PATH: searchPath(), LC_ALL: "C" };
  return new Promise((resolve) => {
    execFile("tc", args, { env, timeout: TIMEOUT_MS }, (error, _stdout, stderr) => {
      if (error === null) return resolve(null);
      const why = error.code === "ENOENT" ? "`tc` is not there" : plainReason(stderr) || error.message;
      resolve(`the queueing discipline of ${device} stays as it is: ${why}`);
    });
  });
}
