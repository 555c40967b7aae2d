/** Versions of CNI's specification. */
import { CNI_CODE, CniError } from "./error.ts";

/** All there are; what differs between them is the delegate's concern, and which commands there are. */
export const SUPPORTED = ["0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"] as const;
export const NEWEST = "1.1.0";

/** What a configuration without a version means. */
export const UNSAID = "0.1.0";

/** @throws CniError */
export function assertSupported(version: unknown): void {
  if ((SUPPORTED as readonly unknown[]).includes(version)) return;
  const details = `supported: ${SUPPORTED.join(", ")}`;
  throw new CniError(CNI_CODE.version, `CNI version ${JSON.stringify(version)} is not known`, details);
}

/** Whether a supported version is another one or a later one. */
export function atLeast(version: string, least: (typeof SUPPORTED)[number]): boolean {
  return SUPPORTED.indexOf(version as typeof least) >= SUPPORTED.indexOf(least);
}
