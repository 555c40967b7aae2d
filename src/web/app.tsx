/** The whole page, and what its parts have in common: the state, and what is pointed at. */
import { useEffect, useMemo, useReducer, useState } from "preact/hooks";
import { judge } from "../teach/judge/judge.ts";
import { Bytes } from "./bytes.tsx";
import { Calculator } from "./calculator.tsx";
import { Detail } from "./detail.tsx";
import { linkOf, stateOf } from "./link.ts";
import { Loader } from "./loader.tsx";
import { Sizes } from "./sizes.tsx";
import { explained, next, receiverOf } from "./state.ts";
import { ThemeButton } from "./theme.tsx";
import { Tree } from "./tree.tsx";
import { Verdicts } from "./verdicts.tsx";
import { RECORDED, WalkView } from "./walk.tsx";

export function App() {
  const [state, dispatch] = useReducer(next, location.hash, stateOf);
  /** The ids of the fields that are pointed at. */
  const [marked, mark] = useState<readonly string[]>([]);
  const [walk, setWalk] = useState(RECORDED);
  const link = linkOf(state);
  useEffect(() => {
    if (link !== location.hash) history.replaceState(null, "", link);
  }, [link]);
  useEffect(() => {
    const follow = () => dispatch({ kind: "become", state: stateOf(location.hash) });
    addEventListener("hashchange", follow);
    return () => removeEventListener("hashchange", follow);
  }, []);
  const explanation = explained(state);
  const receiver = useMemo(() => receiverOf(state), [state.original, state.layer]);
  const verdicts = useMemo(() => judge(explanation, receiver), [explanation, receiver]);
  const shared = { state, dispatch, explanation, marked, mark };
  return (
    <>
      <header class="top">
        <h1>
          poplin <small>every byte explained</small>
        </h1>
        <ThemeButton />
      </header>
      <Loader {...shared} walk={walk} setWalk={setWalk} />
      <WalkView {...shared} walk={walk} />
      <Verdicts {...shared} receiver={receiver} verdicts={verdicts} />
      <main>
        <div class="column">
          <Bytes {...shared} />
          <Detail {...shared} />
        </div>
        <div class="column">
          <Tree {...shared} />
        </div>
        <div class="column last">
          <Sizes explanation={explanation} />
          <Calculator />
        </div>
      </main>
    </>
  );
}
