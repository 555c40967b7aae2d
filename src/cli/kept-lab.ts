/** The lab that `poplin demo --keep` has left up. */
import { type LabRecord, records, sweep } from "../lab/registry.ts";
import { CliError, EXIT } from "./errors.ts";

/**
 * @param which an id; true: the only one there is
 * @throws CliError where there is none, or several to choose from
 */
export function keptLab(which: string | true): LabRecord {
  sweep();
  const labs = records();
  const lab = which === true ? onlyKept(labs) : labs.find(({ id }) => id === which);
  if (lab !== undefined) return lab;
  const there = labs.map(({ id, kept }) => (kept ? id : `${id} (in use)`)).join(", ");
  throw new CliError(
    EXIT.failed,
    which === true ? "there is no lab that was left up" : `there is no lab ${which}`,
    there === "" ? "`poplin demo --keep` leaves one up" : `there is: ${there}`,
  );
}

/** @throws CliError when there are several */
function onlyKept(labs: readonly LabRecord[]): LabRecord | undefined {
  // One with a name is `poplin lab`'s.
  const kept = labs.filter((lab) => lab.kept && lab.name === null);
  if (kept.length < 2) return kept[0];
  const ids = kept.map(({ id }) => id).join(", ");
  throw new CliError(EXIT.usage, `several labs are up: ${ids}`, "name one by its id");
}
