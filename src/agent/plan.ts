/** What is not in place in an overlay, for people: as steps that a comparison would make, or in sentences. Pure. */

/** What a comparison would change, in the words of iproute2 without the device. */
export interface OverlayPlan {
  readonly device: string;
  /** Whether there is no such device: then nothing else is known. */
  readonly gone: boolean;
  /** Arguments for `ip link set`; none where MAC, MTU and state are as they should be. */
  readonly link: readonly string[];
  /** A step each. */
  readonly rows: readonly string[];
}

/** A line for each step: "flannel.1: neigh replace 10.244.2.0 lladdr …". */
export function planLines({ device, gone, link, rows }: OverlayPlan): string[] {
  if (gone) return [`${device}: link add`];
  const set = link.length === 0 ? [] : [`link set ${link.join(" ")}`];
  return [...set, ...rows].map((step) => `${device}: ${step}`);
}

/** A sentence for the device, and one for all its rows. */
export function planSentences({ device, gone, link, rows }: OverlayPlan): string[] {
  if (gone) return [`there is no device ${device}`];
  const wrong: string[] = [];
  if (link.length > 0)
    wrong.push(`${device} is not as it should be: \`ip link set ${device} ${link.join(" ")}\``);
  if (rows.length > 0) {
    const more = rows.length > 1 ? ` and ${rows.length - 1} more` : "";
    wrong.push(`rows are missing or different: ${rows[0]}${more}`);
  }
  return wrong;
}
