/** The search for a path's MTU, on paths that are scripted. */
import { describe, expect, it } from "vitest";
import type { EchoPort } from "../../../src/agent/path-mtu/echoes.ts";
import { probePath } from "../../../src/agent/path-mtu/probe.ts";

interface Path {
  /** The largest packet that passes. */
  readonly mtu: number;
  /** What routers tell about packets that do not. */
  readonly tells?: number | null;
  /** The largest that our interface takes. */
  readonly uplink?: number;
  /** Whether the n-th request of all is lost whatever its size. */
  readonly loses?: (n: number) => boolean;
}

/** @returns a port over that path, and the sizes that were asked for */
function path({ mtu, tells = null, uplink = 1500, loses = () => false }: Path) {
  const asked: number[] = [];
  let told: number | null = uplink;
  const port: EchoPort = {
    async echo(size) {
      asked.push(size);
      if (size > uplink) return "too long";
      if (loses(asked.length)) return "lost";
      if (size <= mtu) return "reply";
      if (tells !== null) told = tells;
      return "lost";
    },
    told: () => told,
  };
  return { port, asked };
}

describe("probePath", () => {
  it("needs two packets where the path is as wide as the uplink", async () => {
    const { port, asked } = path({ mtu: 1500 });
    expect(await probePath(port, 576, 1500)).toBe(1500);
    expect(asked).toEqual([576, 1500]);
  });

  it("takes a router's word, once it has been tried", async () => {
    const { port, asked } = path({ mtu: 1400, tells: 1400 });
    expect(await probePath(port, 576, 1500)).toBe(1400);
    expect(asked).toEqual([576, 1500, 1400]);
  });

  it("does not stop at a router's word when a narrower link follows", async () => {
    const { port } = path({ mtu: 1300, tells: 1400 });
    expect(await probePath(port, 576, 1500)).toBe(1300);
  });

  it.each([576, 577, 1280, 1399, 1400, 1499])(
    "finds a black hole behind %i bytes, of which nobody tells",
    async (mtu) => {
      const { port, asked } = path({ mtu });
      expect(await probePath(port, 576, 1500)).toBe(mtu);
      expect(asked.length).toBeLessThan(50);
    },
  );

  it("knows nothing of a peer that replies to nothing", async () => {
    const { port, asked } = path({ mtu: 0 });
    expect(await probePath(port, 576, 1500)).toBe(null);
    expect(asked).toEqual([576, 576, 576]);
  });

  it("takes two losses in a row for losses", async () => {
    const { port } = path({ mtu: 1500, loses: (n) => n % 3 !== 0 });
    expect(await probePath(port, 576, 1500)).toBe(1500);
  });

  it("says nothing when the peer went away meanwhile", async () => {
    const { port } = path({ mtu: 1500, loses: (n) => n > 1 });
    expect(await probePath(port, 576, 1500)).toBe(null);
  });

  it("says nothing when what did not pass does at the end", async () => {
    const { port } = path({ mtu: 1500, loses: (n) => n > 1 && n < 32 });
    expect([null, 1500]).toContain(await probePath(port, 576, 1500));
  });

  it("does not wait for what the interface does not take", async () => {
    const { port, asked } = path({ mtu: 9000, uplink: 1400 });
    expect(await probePath(port, 576, 1500)).toBe(1400);
    expect(asked.length).toBeLessThan(8);
  });

  it("asks for nothing larger than the uplink takes, however small that is", async () => {
    const { port, asked } = path({ mtu: 500, uplink: 500 });
    expect(await probePath(port, 576, 500)).toBe(500);
    expect(Math.max(...asked)).toBe(500);
  });
});
