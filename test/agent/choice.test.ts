/** Which overlays a request means, where two may have one VNI. */
import { describe, expect, it } from "vitest";
import { allOf, type Candidate, oneOf } from "../../src/agent/choice.ts";
import type { Overlay } from "../../src/agent/overlay.ts";

function candidate(vni: number, device: string, open = true): Candidate {
  return { config: { vni, device }, overlay: open ? ({ device: { name: device } } as Overlay) : undefined };
}

const names = (overlays: readonly Overlay[]): string[] => overlays.map(({ device }) => device.name);

const SEVERAL = [candidate(100, "t100"), candidate(200, "t200")];
const DUAL = [candidate(1, "flannel.1"), candidate(1, "flannel-v6.1")];

describe("whoever reads", () => {
  it("gets all, or all that match", () => {
    expect(names(allOf(SEVERAL))).toEqual(["t100", "t200"]);
    expect(names(allOf(SEVERAL, { vni: 200 }))).toEqual(["t200"]);
    expect(names(allOf(DUAL, { vni: 1 }))).toEqual(["flannel.1", "flannel-v6.1"]);
    expect(names(allOf(DUAL, { vni: 1, dev: "flannel-v6.1" }))).toEqual(["flannel-v6.1"]);
  });

  it("hears what there is where nothing matches", () => {
    expect(() => allOf(SEVERAL, { vni: 7 })).toThrow(
      expect.objectContaining({ code: "NO_SUCH_VNI", remedy: "there are: 100, 200" }),
    );
    expect(() => allOf(DUAL, { vni: 2, dev: "flannel.1" })).toThrow(
      expect.objectContaining({
        code: "NO_SUCH_DEVICE",
        message: "the agent has no overlay with device flannel.1 and VNI 2",
        remedy: "there are: dev flannel.1, dev flannel-v6.1",
      }),
    );
  });

  it("does without what is being made anew, but for nothing else", () => {
    const [first] = DUAL;
    const lost = [first!, candidate(1, "flannel-v6.1", false)];
    expect(names(allOf(lost))).toEqual(["flannel.1"]);
    expect(() => allOf(lost, { dev: "flannel-v6.1" })).toThrow(
      expect.objectContaining({ code: "UNAVAILABLE" }),
    );
  });
});

describe("whoever changes something", () => {
  it("need not choose from one", () => {
    expect(oneOf(DUAL.slice(1)).device.name).toBe("flannel-v6.1");
    expect(oneOf(SEVERAL, { vni: 100 }).device.name).toBe("t100");
    expect(oneOf(DUAL, { dev: "flannel-v6.1" }).device.name).toBe("flannel-v6.1");
  });

  it("must say which of several, by what tells them apart", () => {
    expect(() => oneOf(SEVERAL)).toThrow(
      expect.objectContaining({ code: "WHICH_VNI", remedy: "say which by its VNI: 100, 200" }),
    );
    expect(() => oneOf(DUAL, { vni: 1 })).toThrow(
      expect.objectContaining({
        code: "WHICH_VNI",
        message: "the agent has several overlays with VNI 1",
        remedy: "say which by its device: dev flannel.1, or dev flannel-v6.1",
      }),
    );
  });

  it("does not get the other while the one is being made anew", () => {
    const lost = [DUAL[0]!, candidate(1, "flannel-v6.1", false)];
    expect(() => oneOf(lost)).toThrow(expect.objectContaining({ code: "WHICH_VNI" }));
    expect(() => oneOf(lost, { dev: "flannel-v6.1" })).toThrow(
      expect.objectContaining({ code: "UNAVAILABLE" }),
    );
  });
});
