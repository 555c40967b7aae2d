import { spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { afterEach, describe, expect, it } from "vitest";
import { AddressNotLocalError, PortTakenError } from "../../../src/io/linux/errors.ts";
import { loadShim, type UdpSocketOptions } from "../../../src/io/linux/shim.ts";
import { openUdp } from "../../../src/io/linux/udp.ts";
import { udpOptions } from "./sockets.ts";

const open: number[] = [];

afterEach(() => {
  for (const fd of open.splice(0)) loadShim().close(fd);
});

function openIt(overrides: Partial<UdpSocketOptions> = {}) {
  const socket = openUdp(udpOptions(overrides));
  open.push(socket.fd);
  return socket;
}

function failure(overrides: Partial<UdpSocketOptions>): Error {
  try {
    openIt(overrides);
  } catch (error) {
    return error as Error;
  }
  throw new Error("it opened");
}

describe("openUdp", () => {
  it("binds the wildcard where no address is given, IPv4 and IPv6 side by side on one port", () => {
    const four = openIt({ address: "" });
    const six = openIt({ family: 6, address: "", port: four.port });
    expect(six.port).toBe(four.port);
  });

  it("reports the buffers that the kernel reserved, and warns when they are less than asked for", () => {
    const socket = openIt({ receiveBuffer: 123_456, sendBuffer: 234_567 });
    expect(socket).toMatchObject({ receiveBuffer: 246_912, sendBuffer: 469_134, warnings: [] });
    expect(openIt({ receiveBuffer: 0, sendBuffer: 0 }).receiveBuffer).toBeGreaterThan(0);
  });

  it("shares a port only when every socket on it says so", () => {
    const { port } = openIt({ reusePort: true });
    expect(openIt({ reusePort: true, port }).port).toBe(port);
    expect(failure({ port })).toBeInstanceOf(PortTakenError);
  });

  it("says which process has the port: ours", async () => {
    const socket = createSocket("udp4").bind(0, "127.0.0.1");
    try {
      await once(socket, "listening");
      const { port } = socket.address();
      expect(failure({ port })).toMatchObject({
        code: "POPLIN_PORT_TAKEN",
        errno: 98,
        errnoName: "EADDRINUSE",
        syscall: "bind",
        message: expect.stringMatching(
          new RegExp(`^UDP port ${port} is taken by .* \\(pid ${process.pid}\\)`),
        ),
        remedy: expect.stringContaining("another port"),
      });
    } finally {
      socket.close();
    }
  });

  it("says which process has the port: another one, over IPv6", async () => {
    const script = `const s = require("dgram").createSocket("udp6");
      s.bind(0, "::", () => console.log(s.address().port))`;
    const child = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "inherit"] });
    try {
      const [line] = await once(child.stdout, "data");
      const error = failure({ port: Number(String(line)) });
      expect(error.message).toContain(`(pid ${child.pid})`);
    } finally {
      child.kill();
      await once(child, "exit");
    }
  });

  it("says that an address is not ours (192.0.2.0/24 is nobody's, RFC 5737)", () => {
    const error = failure({ address: "192.0.2.77" });
    expect(error).toBeInstanceOf(AddressNotLocalError);
    expect(error).toMatchObject({ code: "POPLIN_ADDRESS_NOT_LOCAL", errnoName: "EADDRNOTAVAIL" });
    expect(error.message).toContain("192.0.2.77");
  });
});
