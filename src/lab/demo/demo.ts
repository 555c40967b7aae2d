/** The order of events of `poplin demo`. */
import type { DemoView, Measured, Stage } from "./stage.ts";

/**
 * Plays the demo on a stage; taking the stage down is the caller's.
 * @returns whether every packet and every byte arrived
 */
export async function playDemo(stage: Stage, view: DemoView): Promise<boolean> {
  const { places } = stage.scene;
  view.scene(stage.scene);
  const packet = await stage.firstPacket();
  let ok = true;
  const measure = async (kind: "ping" | "transfer", one: (from: number, to: number) => Promise<Measured>) => {
    view.matrix(kind, places);
    for (const [from, place] of places.entries()) {
      const cells: (Measured | null)[] = [];
      for (const to of places.keys()) cells.push(from === to ? null : await one(from, to));
      ok &&= cells.every((cell) => cell === null || cell.ok);
      view.row(place, cells);
    }
  };
  await measure("ping", (from, to) => stage.ping(from, to));
  if (stage.transfer !== null) await measure("transfer", stage.transfer);
  view.packet(packet);
  for (const node of places.keys()) {
    const report = await stage.report(node);
    ok &&= report.peers.every((peer) => peer.state === "ok");
    view.node(report);
  }
  return ok;
}
