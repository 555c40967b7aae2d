/** Which offloads a poplin used, in words: so that a slow node can be understood. */

/** @param about what `poplin status` said of itself @returns lines; none where it said nothing */
export function offloadsInWords({ offloads, capabilities }) {
  if (offloads === undefined) {
    // Before there was a report of them, the underlay's capabilities told of two.
    return capabilities === undefined
      ? []
      : [`gso ${onOff(capabilities.gso)}, gro ${onOff(capabilities.gro)}`];
  }
  const entries = Object.entries(offloads);
  const on = entries.filter(([, { on }]) => on).map(([name]) => name);
  const off = entries.filter(([, { on }]) => !on).map(([name, { why }]) => `${name} (${why})`);
  return [`on: ${on.join(", ") || "none"}`, ...(off.length > 0 ? [`off: ${off.join(", ")}`] : [])];
}

function onOff(value) {
  return value ? "on" : "off";
}
