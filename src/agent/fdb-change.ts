/** A change to the forwarding table that somebody asked for by hand: whether it makes sense, and why it was refused. */
import type { FdbChange, FdbRefusal } from "../dataplane/options.ts";
import { isGroup } from "../fdb/fdb.ts";
import { formatMacKey, parseMac } from "../wire/bytes.ts";
import { AgentError } from "./api/refusals.ts";
import { multicastGroup, underlayAddress } from "./config/addresses.ts";

/** Why the dataplane refuses a row, in words; of a row by hand and of a peer's. */
export const FDB_REFUSALS: Readonly<Record<FdbRefusal, string>> = {
  FDB_EXISTS: "there is a row for this MAC already",
  FDB_MISSING: "there is no row for this MAC",
  FDB_FAMILY: "the underlay's socket is of the other address family",
  FDB_GROUP: "a group's row, or that of 00:00:00:00:00:00, has several VTEPs and none to replace",
  FDB_UNICAST: "only a group's MAC, or 00:00:00:00:00:00, can have several VTEPs",
};

/** What is ours: a row that names it would send our own frames back to us. */
export interface Ourselves {
  readonly mac: string;
  /** In the underlay. */
  readonly address: string;
}

/**
 * @returns the change with its MAC and address in canonical text
 * @throws AgentError `BAD_MAC`, `BAD_ADDRESS`
 */
export function checkChange(change: FdbChange, own: Ourselves): FdbChange {
  const { mac, group } = readMac(change.mac);
  if (change.op !== "del" && mac === own.mac) {
    throw new AgentError("BAD_MAC", `${mac} is our own MAC`, "name a peer's");
  }
  if (change.dst === undefined) return { ...change, mac };
  const multicast = group ? multicastGroup(change.dst) : null;
  const dst = multicast?.ok ? multicast : underlayAddress(change.dst);
  if (!dst.ok) throw new AgentError("BAD_ADDRESS", dst.message, dst.hint || null);
  if (dst.value === own.address) {
    throw new AgentError("BAD_ADDRESS", `${dst.value} is our own address`, "name a peer's");
  }
  return { ...change, mac, dst: dst.value };
}

/** @returns a MAC in canonical text, and whether it can have several VTEPs */
function readMac(text: string): { mac: string; group: boolean } {
  try {
    const { hi, lo } = parseMac(text);
    return { mac: formatMacKey(hi, lo), group: isGroup(hi, lo) };
  } catch (error) {
    throw new AgentError("BAD_MAC", (error as Error).message, "write six bytes as 0e:2a:00:00:00:01");
  }
}

/** @returns the error that says why the dataplane did not make a change */
export function refused(refusal: FdbRefusal, { mac, dst }: FdbChange, family: 4 | 6): AgentError {
  const reason = FDB_REFUSALS[refusal];
  switch (refusal) {
    case "FDB_EXISTS":
      return new AgentError("ROW_EXISTS", `${mac}: ${reason}`, "`poplin fdb replace` changes it");
    case "FDB_MISSING":
      return new AgentError("NO_SUCH_ROW", `${mac}: ${reason}`, "`poplin fdb show` lists them");
    case "FDB_FAMILY":
      return new AgentError("WRONG_FAMILY", `${dst}: ${reason}`, `give an IPv${family} address`);
    case "FDB_GROUP":
      return new AgentError("NOT_POSSIBLE", `${mac}: ${reason}`, "`poplin fdb append` and `del` change them");
    case "FDB_UNICAST":
      return new AgentError("NOT_POSSIBLE", `${mac}: ${reason}`, "`poplin fdb replace` moves it");
  }
}
