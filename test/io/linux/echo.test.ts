/** What the kernel knows of a path, and pings of a size, against this machine's loopback. */
import { afterEach, expect, it } from "vitest";
import { EchoSocket } from "../../../src/io/linux/echo.ts";
import { RouteMtus } from "../../../src/io/linux/route-mtu.ts";
import { describeWith, root } from "../../helpers/needs.ts";

const ADDRESS = { 4: [127, 0, 0, 1], 6: [...new Array(15).fill(0), 1] } as const;
const TEXT = { 4: "127.0.0.1", 6: "::1" } as const;
const EMSGSIZE = 90;

for (const family of [4, 6] as const) {
  describeWith([root()], `over IPv${family}`, () => {
    const loopback = Uint8Array.from(ADDRESS[family]);
    let end = (): void => {};
    afterEach(() => end());

    it("each reply has the size and the number of its request, and nobody else's reply counts", async () => {
      const heard: [number, number][] = [];
      const strangers = new EchoSocket(loopback, () => {});
      await new Promise<void>((resolve) => {
        const socket = new EchoSocket(loopback, (sequence, size) => {
          heard.push([sequence, size]);
          if (heard.length === 3) resolve();
        });
        end = () => {
          socket.close();
          strangers.close();
        };
        expect(strangers.send(loopback, 9, 100)).toBe(0);
        expect(socket.send(loopback, 1, 576)).toBe(0);
        expect(socket.send(loopback, 2, 1500)).toBe(0);
        expect(socket.send(loopback, 0xffff, 60_000)).toBe(0);
      });
      expect(heard.sort((a, b) => a[0] - b[0])).toEqual([
        [1, 576],
        [2, 1500],
        [0xffff, 60_000],
      ]);
    });

    it("what is larger than any packet is refused at once", () => {
      const socket = new EchoSocket(loopback, () => {});
      end = () => socket.close();
      expect(socket.send(loopback, 1, 65_600)).toBe(EMSGSIZE);
    });

    it("the kernel's route says what the interface takes", () => {
      const mtu = family === 4 ? 65_535 : 65_536; // IP_MAX_MTU
      const routes = new RouteMtus(TEXT[family], family, 8472);
      end = () => routes.close();
      expect(routes.ask([loopback, loopback])).toEqual([mtu, mtu]);
      expect(routes.ask([])).toEqual([]);
    });
  });
}
