/** Where the packet's sizes come from. */
import type { Explanation } from "../teach/explanation.ts";
import { sizeSteps } from "../teach/sizes.ts";

export function Sizes({ explanation }: { readonly explanation: Explanation }) {
  const steps = sizeSteps(explanation);
  if (steps.length === 0) return null;
  return (
    <section aria-labelledby="sizes-title">
      <h2 id="sizes-title">Sizes</h2>
      <table>
        <tbody>
          {steps.map(({ adds, bytes, name }, i) => (
            <tr key={name}>
              <td>{i === 0 ? adds : `+ ${adds}`}</td>
              <td class="number">{bytes}</td>
              <th scope="row">{name}</th>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
