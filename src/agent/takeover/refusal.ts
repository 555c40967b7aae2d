/** Why an agent does not hand over to one that says what it wants to be. */
import type { Forwardings } from "../forwardings.ts";
import { version } from "../version.ts";
import { networkNamespace } from "./namespace.ts";
import { type Hello, PROTOCOL, type Refused } from "./protocol.ts";
import { differences, shapeOf } from "./shape.ts";

export const RESTART = "restart the agent instead: stop the old one, then start the new one";

/** @returns null where it can */
export function refusalOf(hello: Hello, places: Forwardings["places"]): Omit<Refused, "type"> | null {
  if (hello.protocol !== PROTOCOL) {
    const [ours, theirs] = [`poplin ${version()}`, hello.version];
    const message = `${ours} and ${theirs} hand over in different ways (${PROTOCOL}, ${hello.protocol})`;
    return { message, remedy: RESTART };
  }
  const here = networkNamespace();
  if (hello.namespace !== here) {
    const message = `it runs in another network namespace (${hello.namespace}, not ${here})`;
    return { message, remedy: RESTART };
  }
  const open = places.flatMap(({ forwarding }) => (forwarding === undefined ? [] : [forwarding]));
  if (open.length < places.length || open.length === 0) {
    const message = "not all of it forwards at this moment";
    return { message, remedy: "try again when `poplin status` says that it is running" };
  }
  if (open.some(({ running }) => running.underlay.sockets === null)) {
    const { underlay } = places[0]!.config;
    const message = `an agent over ${underlay} cannot be taken over: only \`batch\` hands its socket on`;
    return { message, remedy: RESTART };
  }
  const ours = places.map(({ config }, i) => {
    const { overlays, offloads } = open[i]!.running;
    return shapeOf(config, { uplink: overlays[0].device.uplink, offloads });
  });
  const different = differences(ours, hello.shapes);
  if (different.length === 0) return null;
  const message = `this cannot change while the same devices and sockets go on: ${different.join("; ")}`;
  return { message, remedy: RESTART };
}
