/** The news that the kernel has for us, and those it keeps to itself. */
import { afterEach, beforeEach, expect, it } from "vitest";
import { describeWith, namespaces, shim } from "../helpers/needs.ts";
import { Inside } from "./inside.ts";
import type * as Scenarios from "./netlink-scenarios.ts";
import { MANY } from "./news-stage.ts";

type Result<Name extends keyof typeof Scenarios> = Awaited<ReturnType<(typeof Scenarios)[Name]>>;

describeWith([namespaces(), shim()], "netlink", () => {
  let inside: Inside;
  beforeEach(() => {
    inside = new Inside(new URL("./netlink-scenarios.ts", import.meta.url));
  });
  afterEach(() => inside.remove());

  it("tells of links, addresses, routes and neighbours, with the device and what has changed", async () => {
    const { index, cni0, events, nobody } = await inside.run<Result<"kinds">>("kinds");
    expect(nobody).toBe(0);
    const link = { kind: "link", index, name: "flannel.1", mac: "02:ca:fe:00:00:01", mtu: 1400 };
    const neighbour = { kind: "neighbour", index, address: "10.244.2.0" };
    for (const event of [
      { ...link, op: "new", up: true, running: true },
      { kind: "address", op: "new", index, address: "10.9.0.1/24", flags: 0x80 },
      { kind: "address", op: "new", index, address: "2001:db8::1/64", flags: 0x82 },
      { kind: "address", op: "del", index, address: "10.244.1.0/32", flags: 0x80 },
      { ...neighbour, op: "new", permanent: true, asked: true },
      { ...neighbour, op: "new", permanent: false, asked: true },
      { ...neighbour, op: "del", permanent: false, asked: false },
      { kind: "route", op: "new", index: cni0, dst: "10.244.2.0/24", replaces: true },
      { kind: "route", op: "del", index: cni0, dst: "10.244.2.0/24", replaces: false },
      { kind: "route", op: "new", index, dst: "2001:db8:2::/64", replaces: false },
      { kind: "route", op: "new", index: 0, dst: "10.77.0.0/16", replaces: false },
      { ...link, op: "del", up: false, running: false },
    ])
      expect(events).toContainEqual(event);
    expect(events.filter((event) => event.kind === "route" && event.dst === "10.78.0.0/16")).toEqual([]);
    const gone = events.filter((event) => event.kind === "link" && event.op === "del");
    expect(gone.map((event) => event.kind === "link" && event.name).sort()).toEqual(["far0", "flannel.1"]);
  });

  it("messages of this kernel that are cut off at any length are said to be", async () => {
    const { messages, wrong } = await inside.run<Result<"cut">>("cut");
    expect(messages).toBeGreaterThanOrEqual(3);
    expect(wrong).toBe(0);
  });

  it("the kernel keeps to itself what does not concern our devices", async () => {
    expect(await inside.run("filtered")).toEqual({
      "neighbours of others": "",
      "neighbours of others, deleted": "",
      "routes of others": "",
      "routes of others, deleted": "",
      "routes of another table": "",
      "a bridge's table": "",
      "a neighbour that others learn": "",
      "a neighbour that we learn": "",
      "our neighbour": "neighbour",
      "our neighbour, deleted": "neighbour",
      "our MAC, with all neighbours": "link, neighbour",
      "our route": "route",
      "our route, replaced": "route",
      "its end": "",
      "any route, where wanted": "route",
      "any route's end, where wanted": "route",
      "any link": "link",
      "any address": "address",
    });
  });

  it("also for thousands of devices; for too many for one filter it tells everything", async () => {
    const crowds = await inside.run<Result<"crowds">>("crowds");
    expect(crowds.map(({ ours }) => ours)).toEqual(crowds.map(() => true));
    expect(crowds.map(({ others }) => others)).toEqual([false, false, false, false, false, false, true]);
  });

  it("a storm that is read as it comes is heard to the last route", async () => {
    expect(await inside.run("stormRead")).toMatchObject({ routes: MANY, lost: 0 });
  });

  it("a queue of a whole storm is read in pieces, and others have their turn in between", async () => {
    const { routes, lost, turns } = await inside.run<Result<"stormQueued">>("stormQueued");
    expect({ routes, lost }).toEqual({ routes: MANY, lost: 0 });
    expect(turns).toBeGreaterThanOrEqual(100);
  });

  it("what a small queue has no room for is said to be lost, and what comes after that is heard", async () => {
    const { routes, lost } = await inside.run<Result<"stormMissed">>("stormMissed");
    expect(lost).toBeGreaterThanOrEqual(1);
    expect(routes).toBeLessThan(MANY);
  });
});
