/** The setting `neighbours`: items in the words of `ip neigh`, "10.0.0.5 lladdr 02:00:00:00:00:05". */
import { overlayAddress, vtepMac } from "./addresses.ts";
import { bad, good, type Reader, show } from "./values.ts";

const EXPECTED = "write an address and a MAC, as 10.0.0.5 lladdr 02:00:00:00:00:05";

/** Reads an item into canonical text; `nud permanent`, as `ip neigh` prints it in commands, may follow. */
export const neighbour: Reader<string> = (raw) => {
  const [address = "", word, mac = "", ...rest] = String(raw).trim().split(/\s+/);
  const implied = rest.length === 0 || rest.join(" ") === "nud permanent";
  if (word !== "lladdr" || !implied) return bad(`${show(raw)} is no neighbour`, EXPECTED);
  const who = overlayAddress(address);
  if (!who.ok) return who;
  const where = vtepMac(mac);
  return where.ok ? good(`${who.value} lladdr ${where.value}`) : where;
};

/** @param text what `neighbour` has read */
export function splitNeighbour(text: string): { readonly address: string; readonly mac: string } {
  const [address, , mac] = text.split(" ") as [string, string, string];
  return { address, mac };
}
