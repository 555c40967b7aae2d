/** The kernel's twin of a datagram: the same frame, encapsulated by the kernel's VXLAN on a host with the same addresses. */
import { fileURLToPath } from "node:url";
import { type Explanation, explain, fieldsOf } from "../../teach/explanation.ts";
import { innerFrame } from "../../teach/walk.ts";
import { fromHex, hex } from "../../wire/index.ts";
import type { Lab } from "../lab.ts";
import type { TwinOptions } from "./twin-run.ts";

const TWIN = fileURLToPath(new URL("../../../dist/lab/walk/twin-run.js", import.meta.url));

/**
 * @param lab gets a host for it
 * @param datagram of poplin's, from its outer Ethernet header on
 * @throws LabError where the kernel makes none of it
 */
export async function kernelTwin(lab: Lab, datagram: Uint8Array, mtu: number): Promise<Uint8Array> {
  const explanation = explain(datagram);
  const text = (id: string): string => textOf(explanation, id);
  const end = (which: "source" | "destination") => ({
    vtepMac: text(`inner.ethernet.${which}`),
    mac: text(`outer.ethernet.${which}`),
    address: text(`outer.ipv4.${which}`),
  });
  const from = end("source");
  const options: TwinOptions = {
    frame: hex(innerFrame(datagram)!),
    ...{ vni: Number(text("vxlan.vni")), port: Number(text("outer.udp.destinationPort")), mtu },
    from: { ...from, address: `${from.address}/16` },
    to: end("destination"),
  };
  const { stdout } = await lab.addHost("twin").exec(process.execPath, [TWIN, JSON.stringify(options)]);
  return fromHex(stdout.trim());
}

function textOf(explanation: Explanation, id: string): string {
  return fieldsOf(explanation).find((field) => field.id === id)?.text ?? "";
}
