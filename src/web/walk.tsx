/**
 * A packet's way from pod to pod, hop by hop, forward and back: at each the page shows the bytes as they were there, and here
 * stands what has changed, why it went on, and what the MTU left. Recorded by `poplin walk -j`; another walk can be dropped.
 */
import { useEffect, useRef } from "preact/hooks";
import type { Difference } from "../teach/compare.ts";
import { type Step, steps, twinDifferences } from "../teach/walk.ts";
import { type Walk, type WalkJson, walkFromJson } from "../teach/walk-json.ts";
import recorded from "./recorded-walk.json";
import type { Shared } from "./shared.ts";

export const RECORDED = walkFromJson(recorded as WalkJson);

export function hopTitle({ hops }: Walk, at: number): string {
  const { host, device, direction } = hops[at]!;
  return `hop ${at + 1} of ${hops.length}: ${host}, ${device} ${direction}`;
}

interface Props extends Shared {
  readonly walk: Walk;
}

export function WalkView({ state, dispatch, walk }: Props) {
  const at = walk.hops.findIndex(({ bytes }) => bytes === state.original);
  const way = useRef<HTMLOListElement>(null);
  useEffect(() => {
    // On a narrow screen the way is longer than what can be seen of it.
    const step = way.current?.querySelector<HTMLElement>('[aria-current="step"]');
    if (step != null) way.current!.scrollLeft = step.offsetLeft - way.current!.clientWidth / 2;
  }, [at]);
  if (at < 0) return null;
  const go = (to: number): void => {
    const hop = walk.hops[to];
    if (hop === undefined) return;
    dispatch({ kind: "load", title: hopTitle(walk, to), bytes: hop.bytes, layer: "ethernet" });
  };
  const key = (event: KeyboardEvent): void => {
    const move = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (move === undefined) return;
    event.preventDefault();
    go(at + move);
  };
  const all = steps(walk.hops);
  return (
    <section class="walk" aria-label="the way of a packet" onKeyDown={key}>
      <div class="way">
        <button type="button" disabled={at === 0} onClick={() => go(at - 1)}>
          ← back
        </button>
        <ol ref={way}>
          {all.map(({ hop, explanation }, i) => (
            <li key={hopTitle(walk, i)}>
              <button
                type="button"
                class={explanation.parts.some(({ tone }) => tone === "tunnel") ? "tunnel" : "inner"}
                aria-current={i === at ? "step" : undefined}
                onClick={() => go(i)}
              >
                <small>{hop.host}</small> {hop.device}
              </button>
            </li>
          ))}
        </ol>
        <button type="button" disabled={at === all.length - 1} onClick={() => go(at + 1)}>
          forward →
        </button>
      </div>
      <Hop step={all[at]!} />
      <Twin step={all[at]!} walk={walk} />
    </section>
  );
}

function Hop({ step }: { readonly step: Step }) {
  const { hop, grown, changes, took, ipBytes } = step;
  const room = hop.mtu - ipBytes;
  return (
    <div aria-live="polite">
      <p>
        <b>{hop.what}</b>: {hop.bytes.length} bytes
        {grown !== 0 && `, ${Math.abs(grown)} ${grown > 0 ? "put around it" : "taken off"}`}
        {took > 0 && `, ${(took / 1000).toFixed(took < 10_000 ? 1 : 0)} µs after the hop before`}
      </p>
      <p>
        MTU {hop.mtu}: the IP packet has {ipBytes}, {room >= 0 ? `${room} are free` : `${-room} too many`}{" "}
        <meter min={0} max={hop.mtu} value={ipBytes} aria-label="of the MTU" />
      </p>
      <List title="what has changed" rows={changes.map(changeWords)} />
      <List title="why it goes on from here" rows={hop.because} />
    </div>
  );
}

/** Where the datagram is first seen: the kernel's of the same frame beside it. */
function Twin({ step, walk }: { readonly step: Step; readonly walk: Walk }) {
  if (walk.twin === null || step.grown <= 0) return null;
  const rows = twinDifferences(walk.twin, step.hop.bytes).map(
    ({ field, before, after, reason }) =>
      `${field.id}: kernel ${before ?? "none"}, poplin ${after ?? "none"}${reason === "" ? "" : ` (${reason})`}`,
  );
  return (
    <List
      title="the kernel's VXLAN, given the same frame"
      rows={rows.length === 0 ? ["the same, byte for byte"] : rows}
    />
  );
}

function List({ title, rows }: { readonly title: string; readonly rows: readonly string[] }) {
  if (rows.length === 0) return null;
  return (
    <>
      <h2>{title}</h2>
      <ul>
        {rows.map((row) => (
          <li key={row}>{row}</li>
        ))}
      </ul>
    </>
  );
}

function changeWords({ field, before, after }: Difference): string {
  return `${field.id}: ${before ?? "not there"} → ${after ?? "not there"}`;
}
