/** What every underlay must do, whoever moves the bytes. `underlay.test.ts` runs it over all of them. */
import { afterEach, describe } from "vitest";
import { carryContract } from "./underlay-carry.contract.ts";
import { limitsContract } from "./underlay-limits.contract.ts";
import { Opener, type Subject } from "./underlay-opener.ts";
import { wakeContract } from "./underlay-wake.contract.ts";

export function underlayContract(title: string, subject: Subject): void {
  describe(title, () => {
    const opener = new Opener(subject);
    afterEach(() => opener.close());
    carryContract(opener);
    limitsContract(opener);
    wakeContract(opener);
  });
}
