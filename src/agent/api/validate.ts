/**
 * What comes in over the API, checked for its shape: whoever reads further may rely on the types, and on one spelling
 * of a MAC. Whether an address makes sense is the agent's to say, since it knows its underlay.
 */
import type { FdbChange, NeighbourChange } from "../../dataplane/options.ts";
import { formatMacKey, parseMac } from "../../wire/bytes.ts";
import { LEVELS, type Level } from "../logging/formats.ts";
import { TOPICS, type Topic } from "./agent-view.ts";

/** A request that is wrong in itself. */
export class RequestError extends Error {
  /** HTTP status. */
  readonly status: number;
  readonly code: string;
  readonly remedy: string | null;

  constructor(status: number, code: string, message: string, remedy: string | null) {
    super(message);
    this.name = "RequestError";
    this.status = status;
    this.code = code;
    this.remedy = remedy;
  }
}

const OPS = ["add", "append", "replace", "del"] as const;
const FIELDS = ["op", "mac", "dst", "port"];

/**
 * @param body what JSON.parse made of the request
 * @returns the change, its MAC in lower case with colons
 * @throws RequestError with status 400, naming the field; WireError for a MAC that is none
 */
export function readFdbChange(body: unknown): FdbChange {
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    throw bad("the body is no JSON object");
  }
  const { op, mac, dst, port } = body as Record<string, unknown>;
  const extra = Object.keys(body).find((key) => !FIELDS.includes(key));
  if (extra !== undefined) throw bad(`unknown field ${JSON.stringify(extra)}`);
  const known = OPS.find((name) => name === op);
  if (known === undefined) throw bad(`"op" is ${JSON.stringify(op)}, not one of ${OPS.join(", ")}`);
  if (typeof mac !== "string") throw bad('"mac" is no string');
  if (known === "del" && dst === undefined && port !== undefined) {
    throw bad("del takes a port only behind the VTEP's address: dst");
  }
  if (known !== "del" && dst === undefined) {
    throw bad(`"dst" is missing: ${known} needs the VTEP's underlay address`);
  }
  if (dst !== undefined && typeof dst !== "string") throw bad('"dst" is no string');
  if (port !== undefined && !isPort(port)) throw bad('"port" is no UDP port, 1 to 65535');
  const { hi, lo } = parseMac(mac);
  return {
    op: known,
    mac: formatMacKey(hi, lo),
    ...(dst === undefined ? {} : { dst }),
    ...(port === undefined ? {} : { port }),
  };
}

/** @returns a MAC in lower case with colons. @throws RequestError, WireError */
export function readMac(text: string | null): string {
  if (text === null) throw bad("the MAC is missing: ?mac=aa:bb:cc:dd:ee:ff");
  const { hi, lo } = parseMac(text);
  return formatMacKey(hi, lo);
}

const NEIGHBOUR_OPS = ["add", "replace", "del"] as const;
const NEIGHBOUR_FIELDS = ["op", "address", "mac"];
const NEIGHBOUR_EXAMPLE = 'such as {"op":"add","address":"10.0.0.5","mac":"aa:bb:cc:dd:ee:ff"}';

/**
 * @param body what JSON.parse made of the request
 * @returns the change as it was given: whether its address and MAC are some is the agent's to say
 * @throws RequestError with status 400, naming the field
 */
export function readNeighbourChange(body: unknown): NeighbourChange {
  const wrong = (message: string): RequestError => bad(message, NEIGHBOUR_EXAMPLE);
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    throw wrong("the body is no JSON object");
  }
  const { op, address, mac } = body as Record<string, unknown>;
  const extra = Object.keys(body).find((key) => !NEIGHBOUR_FIELDS.includes(key));
  if (extra !== undefined) throw wrong(`unknown field ${JSON.stringify(extra)}`);
  const known = NEIGHBOUR_OPS.find((name) => name === op);
  if (known === undefined) {
    throw wrong(`"op" is ${JSON.stringify(op)}, not one of ${NEIGHBOUR_OPS.join(", ")}`);
  }
  if (typeof address !== "string") throw wrong('"address" is no string');
  if (known === "del") {
    if (mac !== undefined) throw wrong("del takes an address only: it has one row");
    return { op: known, address };
  }
  if (typeof mac !== "string") throw wrong(`"mac" is no string, and ${known} needs one`);
  return { op: known, address, mac };
}

function isPort(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 1 && (value as number) <= 65_535;
}

function bad(
  message: string,
  example = 'such as {"op":"add","mac":"aa:bb:cc:dd:ee:ff","dst":"192.0.2.1"}',
): RequestError {
  return new RequestError(400, "BAD_REQUEST", message, example);
}

/** @throws RequestError for what is no VNI */
export function readVni(text: string): number {
  const vni = /^\d{1,8}$/.test(text) ? Number(text) : -1;
  if (vni >= 0 && vni < 2 ** 24) return vni;
  throw new RequestError(400, "BAD_VNI", `"${text}" is no VNI`, "write a whole number from 0 to 16777215");
}

/** @param body what JSON.parse made of the request. @throws RequestError */
export function readLogLevel(body: unknown): Level {
  const { level } = (body ?? {}) as { level?: unknown };
  const known = LEVELS.find((one) => one === level);
  if (known !== undefined) return known;
  const message = `"level" is ${JSON.stringify(level)}, not one of ${LEVELS.join(", ")}`;
  throw bad(message, 'such as {"level":"debug"}');
}

/** @param text of `?about=`: topics with commas between them; null means misses */
export function readTopics(text: string | null): readonly Topic[] {
  const words = (text ?? "misses").split(",");
  const unknown = words.find((word) => !TOPICS.some((topic) => topic === word));
  if (unknown === undefined) return words as Topic[];
  throw bad(
    `there are no events about ${JSON.stringify(unknown)}`,
    `there are some about ${TOPICS.join(", ")}`,
  );
}
