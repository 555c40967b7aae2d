/**
 * What `poplin watch` has on the screen: the latest drops, below them the latest packets or flows, one of them selected;
 * or the selected one explained. Pure: it is told what comes and which keys are pressed, and says what there is to see.
 */
import { explainText } from "../teach/explain-text.ts";
import { count, hang, paint, plural, type Style, widthOf } from "./output.ts";
import type { Watched } from "./watched.ts";

/** Packets that are remembered, of drops and of others. */
const REMEMBERED = 500;
/** Seconds for which a flow without a packet is shown. */
const FLOW_SECONDS = 30;

/** Keys as a terminal sends them. */
const UP = ["\u001b[A", "k"];
const DOWN = ["\u001b[B", "j"];
const PAGE_UP = ["\u001b[5~"];
const PAGE_DOWN = ["\u001b[6~"];
const ENTER = ["\r", "\n"];
const BACK = ["\u001b", "\u007f", ...ENTER];

interface Item {
  readonly watched: Watched;
  /** Seconds of any clock. */
  readonly at: number;
  readonly time: string;
}

interface Flow {
  last: Item;
  packets: number;
  bytes: number;
}

export class WatchView {
  readonly #drops: Item[] = [];
  readonly #packets: Item[] = [];
  readonly #flows = new Map<string, Flow>();
  #shown = 0;
  #unseen = 0;
  #unseenDrops = 0;
  /** What is on the screen stays as it is: the items, newest first. */
  #frozen: readonly Item[] | null = null;
  #selected = 0;
  #byFlow = false;
  /** The line at which the explanation begins; null: the list is shown. */
  #scrolled: number | null = null;
  #page = 10;

  /** A packet has come. @param at seconds of a clock that goes on @param time of day */
  add(watched: Watched, at: number, time: string): void {
    const item = { watched, at, time };
    const kept = watched.event.drop === null ? this.#packets : this.#drops;
    kept.unshift(item);
    if (kept.length > REMEMBERED) kept.pop();
    this.#shown++;
    if (watched.event.drop === null) this.#countFlow(item);
  }

  /** The flows stand in the order of their last packets: those that are over come first. */
  #countFlow(item: Item): void {
    const { watched, at } = item;
    const key = flowKey(watched);
    const { packets, bytes } = this.#flows.get(key) ?? { packets: 0, bytes: 0 };
    this.#flows.delete(key);
    this.#flows.set(key, { last: item, packets: packets + 1, bytes: bytes + watched.event.length });
    for (const [name, { last }] of this.#flows) {
      if (at - last.at <= FLOW_SECONDS && this.#flows.size <= REMEMBERED) break;
      this.#flows.delete(name);
    }
  }

  /** So many have passed, or were dropped, that nobody was told of. */
  miss(passed: number, dropped: number): void {
    this.#unseen += passed;
    this.#unseenDrops += dropped;
  }

  /** A key was pressed. */
  key(key: string): void {
    if (this.#scrolled !== null) this.#readingKey(key);
    else if (key === " ") this.#freeze(this.#frozen === null ? this.#items() : null);
    else if (key === "f") {
      this.#byFlow = !this.#byFlow;
      this.#freeze(null);
    } else if (ENTER.includes(key)) this.#open();
    else this.#select(moveOf(key, this.#page));
  }

  /** @param items what stays on the screen; null: it goes on, with the first selected */
  #freeze(items: readonly Item[] | null): void {
    this.#frozen = items;
    if (items === null) this.#selected = 0;
  }

  #readingKey(key: string): void {
    const move = moveOf(key, this.#page);
    if (move !== 0) this.#scrolled = Math.max(0, this.#scrolled! + move);
    else if (BACK.includes(key)) this.#scrolled = null;
  }

  #open(): void {
    this.#frozen ??= this.#items();
    if (this.#frozen.length > 0) this.#scrolled = 0;
  }

  /** Moves the selection; what is selected must not run away. */
  #select(move: number): void {
    if (move === 0) return;
    this.#frozen ??= this.#items();
    this.#selected = Math.max(0, Math.min(this.#frozen.length - 1, this.#selected + move));
  }

  /** Drops, and then the others, newest first. */
  #items(): readonly Item[] {
    // The flow of the latest packet first.
    const flows = () => [...this.#flows.values()].map(({ last }) => last).reverse();
    return [...this.#drops, ...(this.#byFlow ? flows() : this.#packets)];
  }

  /** @param rows that there are on the screen */
  lines(title: string, style: Style, rows: number): string[] {
    this.#page = Math.max(1, rows - 6);
    return this.#scrolled === null ? this.#list(title, style, rows) : this.#reading(style, rows);
  }

  #list(title: string, style: Style, rows: number): string[] {
    const items = this.#frozen ?? this.#items();
    const head = [
      `${paint(style, "bold", "poplin watch")}  ${title}${this.#frozen === null ? "" : paint(style, "yellow", "  paused")}`,
      ...hang("", this.#totals(), style.width),
      "",
    ];
    const room = Math.max(1, rows - head.length - 2);
    const drops = items.filter(({ watched }) => watched.event.drop !== null).length;
    // Drops first, but not only drops.
    const most = items.length > drops ? Math.max(1, Math.floor(room / 2)) : room;
    const first = Math.max(0, Math.min(this.#selected - room + 1, items.length - room));
    const chosen = this.#selected < most ? pick(items, drops, most, room) : items.slice(first, first + room);
    const body = chosen.map((item) => this.#line(item, items.indexOf(item) === this.#selected, style));
    const none = items.length === 0 ? ["nothing has passed yet"] : [];
    const keys = "↑↓ select  Enter explain  Space pause  f flows  q end";
    return [
      ...head,
      ...body,
      ...none,
      "",
      paint(style, "dim", this.#byFlow ? keys.replace("flows", "packets") : keys),
    ];
  }

  #totals(): string {
    const drops = this.#unseenDrops === 0 ? "" : ` and ${plural(this.#unseenDrops, "drop")}`;
    const rest =
      this.#unseen + this.#unseenDrops === 0
        ? "none left out"
        : `${count(this.#unseen)} more passed${drops} unseen`;
    return `${plural(this.#shown, "packet")} shown, ${rest}`;
  }

  #line({ watched, time }: Item, isSelected: boolean, style: Style): string {
    const { event } = watched;
    const mark = isSelected ? "▶" : " ";
    const why = event.drop === null ? "" : `${paint(style, "red", event.drop.reason)} `;
    const flow = this.#byFlow && event.drop === null ? this.#flows.get(flowKey(watched)) : undefined;
    const words = flow === undefined ? watched.short : `${plural(flow.packets, "packet")}, ${watched.flow}`;
    const line = `${mark}${time} ${event.direction} ${why}${words}`;
    const spare = widthOf(line) - style.width;
    return spare > 0 ? `${line.slice(0, line.length - spare - 1)}…` : line;
  }

  #reading(style: Style, rows: number): string[] {
    const { watched } = (this.#frozen ?? this.#items())[this.#selected]!;
    const { drop } = watched.event;
    const why =
      drop === null
        ? []
        : [...hang(`${paint(style, "red", drop.reason)}: `, watched.dropWords!, style.width), ""];
    const lines = [...why, ...explainText(watched.explanation, { color: style.color })];
    const room = Math.max(1, rows - 2);
    this.#scrolled = Math.max(0, Math.min(this.#scrolled!, lines.length - room));
    const shown = lines.slice(this.#scrolled, this.#scrolled + room);
    return [...shown, "", paint(style, "dim", "↑↓ read  Enter back  q end")];
  }
}

/** By which a flow is known: who talks to whom, and which way. */
function flowKey({ event, flow }: Watched): string {
  return `${event.direction} ${flow}`;
}

/** The first of the drops and of the others, as many as there is room for. */
function pick(items: readonly Item[], drops: number, most: number, room: number): readonly Item[] {
  const some = items.slice(0, Math.min(drops, most));
  return [...some, ...items.slice(drops, drops + room - some.length)];
}

/** Lines that a key moves by; 0: it is none of those. */
function moveOf(key: string, page: number): number {
  if (UP.includes(key)) return -1;
  if (DOWN.includes(key)) return 1;
  if (PAGE_UP.includes(key)) return -page;
  return PAGE_DOWN.includes(key) ? page : 0;
}
