/** What ended the dataplane, for people. */
import type { PortFailure } from "../dataplane/port-failures.ts";

/** @returns an error that says what happened and what to do; itself when it is one already */
export function explainFailure(failure: PortFailure | Error, device: string): Error {
  if (failure instanceof Error) return failure;
  const { port, errno } = failure;
  if (port === "tap") {
    return new Error(
      `${device} is gone (errno ${errno}): somebody deleted it; it is made anew with its addresses and rows`,
    );
  }
  return new Error(`the underlay's socket has failed (errno ${errno}); start the agent again`);
}
