/** The page: a packet that can be pointed at, changed and passed on. It needs no server and no network. */
import { render } from "preact";
import { App } from "./app.tsx";
import { haveOrdinaryMemoryDo } from "./memory.ts";
import "./style.css";

haveOrdinaryMemoryDo();
render(<App />, document.getElementById("app")!);
