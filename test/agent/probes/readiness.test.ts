import { describe, expect, it } from "vitest";
import type { ClusterView } from "../../../src/agent/api/cluster-types.ts";
import type { Command } from "../../../src/agent/engine/protocol.ts";
import { PROBE_COUNTS, type ProbedPlace, Readiness } from "../../../src/agent/probes/readiness.ts";
import type { ProbeVerdict } from "../../../src/dataplane/self-probe.ts";

/** A place whose engine answers as it is told. */
class Place {
  /** Answers to the next probes; then null. */
  verdicts: ProbeVerdict[] = [];
  answers = true;
  open = true;
  readonly asked: (number | undefined)[] = [];
  readonly devices: readonly string[];

  constructor(...devices: string[]) {
    this.devices = devices;
  }

  readonly engine = {
    ask: async (command: Command) => {
      if (!this.answers) throw new Error("the dataplane has ended");
      if (command.type !== "probe") return {};
      this.asked.push(command.overlay);
      return this.verdicts.shift() ?? null;
    },
  };

  get place(): ProbedPlace {
    const overlays = this.devices.map((name, i) => ({ device: { name }, config: { vni: i + 1 } }));
    const forwarding = this.open ? { running: { overlays, engine: this.engine } } : undefined;
    return { devices: this.devices, forwarding } as unknown as ProbedPlace;
  }
}

function make(...places: Place[]) {
  const state = { started: true, stopping: false, now: 0, cluster: [] as string[] };
  const readiness = new Readiness({
    places: () => places.map(({ place }) => place),
    started: () => state.started,
    stopping: () => state.stopping,
    cluster: { notReady: () => state.cluster } as unknown as ClusterView,
    now: () => state.now,
  });
  return { readiness, state };
}

describe("an agent", () => {
  it("is ready when a frame has come back through every overlay; that counts for a while, for all who ask", async () => {
    const place = new Place("a", "b");
    const { readiness, state } = make(place);
    expect(await Promise.all([readiness.ready(), readiness.ready(), readiness.ready()])).toEqual([
      [],
      [],
      [],
    ]);
    expect(place.asked).toEqual([0, 1]);
    state.now = PROBE_COUNTS - 1;
    expect([await readiness.ready(), place.asked.length]).toEqual([[], 2]);
    state.now = PROBE_COUNTS;
    expect([await readiness.ready(), place.asked.length]).toEqual([[], 4]);
    expect(readiness.probes).toEqual({ ok: 4, failed: 0, busy: 0 });
  });

  it("is not while it starts or ends, and says what else is missing", async () => {
    const { readiness, state } = make(new Place("a"));
    state.started = false;
    expect(await readiness.ready()).toEqual(["the agent is starting"]);
    state.started = true;
    state.cluster = ["subnet.env is not written"];
    expect(await readiness.ready()).toEqual(["subnet.env is not written"]);
    state.stopping = true;
    expect(await readiness.ready()).toEqual(["the agent is about to end"]);
    expect(await readiness.live()).toEqual([]);
  });

  it("is not ready when a probe is lost, asks again at once, and names overlay and reason", async () => {
    const place = new Place("a", "b");
    const { readiness } = make(place);
    place.verdicts = [null, { why: "decap dropped it: UNKNOWN_VTEP" }];
    const lost = "a probe through b (VNI 2) did not come back: decap dropped it: UNKNOWN_VTEP";
    expect(await readiness.ready()).toEqual([lost]);
    expect(await readiness.ready()).toEqual([]);
    expect(readiness.probes).toEqual({ ok: 3, failed: 1, busy: 0 });
  });

  it("waits for a moment in which no packets wait; where there is none, what was known before counts", async () => {
    const place = new Place("a");
    const { readiness, state } = make(place);
    place.verdicts = new Array<ProbeVerdict>(50).fill("busy");
    expect(await readiness.ready()).toEqual(["no probe yet: packets wait for a TAP or the underlay"]);
    place.verdicts = ["busy", "busy"];
    expect(await readiness.ready()).toEqual([]);
    state.now = PROBE_COUNTS;
    place.verdicts = new Array<ProbeVerdict>(50).fill("busy");
    expect(await readiness.ready()).toEqual([]);
  });

  it("is neither alive nor ready when its dataplane does not answer, and is alive while a device is made anew", async () => {
    const [silent, gone] = [new Place("a"), new Place("b", "c")];
    const { readiness } = make(silent, gone);
    silent.answers = false;
    gone.open = false;
    expect(await readiness.live()).toEqual(["the dataplane of a does not answer"]);
    expect(await readiness.ready()).toEqual([
      "the dataplane of a does not answer",
      "b, c forwards nothing: it is made anew",
    ]);
    gone.open = true;
    silent.answers = true;
    expect([await readiness.live(), await readiness.ready()]).toEqual([[], []]);
  });

  it("probes anew what has been opened anew", async () => {
    const [before, after] = [new Place("a"), new Place("a")];
    const places = [before];
    const readiness = new Readiness({
      places: () => places.map(({ place }) => place),
      started: () => true,
      stopping: () => false,
      cluster: null,
    });
    await readiness.ready();
    places[0] = after;
    await readiness.ready();
    await readiness.ready();
    expect([before.asked, after.asked]).toEqual([[0], [0]]);
  });
});
