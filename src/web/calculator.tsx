/** Overhead and MTU: what a tunnel takes, and what is left. */
import { useState } from "preact/hooks";
import { overheadOf, type TunnelOptions } from "../teach/overhead.ts";

const LARGEST_MTU = 65_535;

export function Calculator() {
  const [options, setOptions] = useState<TunnelOptions>({
    ...{ underlayMtu: 1500, underlay: 4, overlay: 4, vlan: false, timestamps: true },
  });
  const { taken, bytes, overlayMtu, mss, onWire } = overheadOf(options);
  const set = (changes: Partial<TunnelOptions>): void => setOptions({ ...options, ...changes });
  const family = (name: "underlay" | "overlay") => (
    <fieldset>
      <legend>{name}</legend>
      {([4, 6] as const).map((version) => (
        <label key={version}>
          <input
            type="radio"
            name={name}
            checked={options[name] === version}
            onChange={() => set({ [name]: version } as Partial<TunnelOptions>)}
          />
          IPv{version}
        </label>
      ))}
    </fieldset>
  );
  return (
    <section class="calculator" aria-labelledby="calculator-title">
      <h2 id="calculator-title">Overhead and MTU</h2>
      <label>
        underlay's MTU{" "}
        <input
          type="number"
          name="mtu"
          min={0}
          max={LARGEST_MTU}
          value={options.underlayMtu}
          onInput={(event) =>
            set({ underlayMtu: Math.min(LARGEST_MTU, Math.max(0, event.currentTarget.valueAsNumber || 0)) })
          }
        />
      </label>
      {family("underlay")}
      {family("overlay")}
      <label>
        <input
          type="checkbox"
          name="vlan"
          checked={options.vlan}
          onChange={() => set({ vlan: !options.vlan })}
        />{" "}
        inner VLAN tag
      </label>
      <label>
        <input
          type="checkbox"
          name="timestamps"
          checked={options.timestamps}
          onChange={() => set({ timestamps: !options.timestamps })}
        />{" "}
        TCP timestamps
      </label>
      <output>
        <p>{`${options.underlayMtu} − ${bytes} (${taken.map(({ name, bytes: n }) => `${name} ${n}`).join(" + ")})`}</p>
        <p>
          overlay's MTU <b>{overlayMtu}</b>, TCP MSS <b>{mss}</b>, a full packet on the wire <b>{onWire}</b>
        </p>
      </output>
    </section>
  );
}
