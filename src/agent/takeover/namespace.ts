/** Devices and sockets belong to a network namespace: descriptors of another one would lead nowhere that is looked after. */
import { readlinkSync } from "node:fs";

/** @returns its name, as "net:[4026531840]" */
export function networkNamespace(): string {
  return readlinkSync("/proc/self/ns/net");
}
