/** `poplin cleanup` on devices as agents leave them, and on devices that are none of its business. */
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { POPLIN } from "../../src/lab/agent-process.ts";
import type { Host } from "../../src/lab/host.ts";
import { Lab } from "../../src/lab/lab.ts";
import { describeWith, lab as labNeeds } from "../helpers/needs.ts";

const DEVICE = "flannel.7";

/** Opens a queue of a TAP through poplin's own ports and holds it until it is killed. */
const HOLD = `
  const { loadShim } = await import(process.argv[1]);
  const shim = loadShim();
  shim.tapOpen("${DEVICE}", 0x5102, 12, 0);
  console.log("held");
  setInterval(() => {}, 1000);
`;

describeWith([labNeeds()], "poplin cleanup", () => {
  let lab: Lab;
  let host: Host;

  beforeAll(() => {
    lab = Lab.create();
    host = lab.addHost("node");
  });
  afterAll(() => lab?.destroy());
  beforeEach(() => host.exec("ip", ["link", "del", DEVICE], { check: false }));

  /** A persistent TAP with what an agent gives it. */
  function leftover(): void {
    host.ip(
      `tuntap add dev ${DEVICE} mode tap multi_queue vnet_hdr`,
      `link set ${DEVICE} address 0e:2a:00:00:00:01 up`,
      `addr add 10.244.1.0/32 dev ${DEVICE}`,
      `neigh add 10.244.2.0 lladdr 0e:2a:00:00:00:02 nud permanent dev ${DEVICE}`,
      `route add 10.244.2.0/24 via 10.244.2.0 dev ${DEVICE} onlink proto boot`,
    );
  }

  const cleanup = (...args: string[]) =>
    host.exec(process.execPath, [POPLIN, "cleanup", ...args], { check: false });
  const exists = async () => (await host.exec("ip", ["link", "show", DEVICE], { check: false })).status === 0;

  it("removes the device and says what went with it; a second time there is nothing to do", async () => {
    leftover();
    expect(await cleanup("--device", DEVICE)).toEqual({
      status: 0,
      stderr: "",
      stdout: [
        `removed ${DEVICE} (0e:2a:00:00:00:01)`,
        "  address    10.244.1.0/32",
        "  neighbour  10.244.2.0 lladdr 0e:2a:00:00:00:02",
        "  route      10.244.2.0/24 via 10.244.2.0",
        "",
      ].join("\n"),
    });
    expect(await exists()).toBe(false);
    expect((await host.exec("ip", ["route", "show", "10.244.2.0/24"])).stdout).toBe("");
    expect(await cleanup("--device", DEVICE)).toEqual({
      status: 0,
      stderr: "",
      stdout: `there is no device ${DEVICE}: nothing to remove\n`,
    });
  });

  it("finds the device's name in the agent's file", async () => {
    const file = lab.file("node.yaml");
    // The mistake would end an agent; which device it means is known all the same.
    writeFileSync(file, "vni: 7\nsenderCheck: strikt\n");
    leftover();
    expect((await cleanup("--config", file)).status).toBe(0);
    expect(await exists()).toBe(false);
  });

  it("finds it in the environment, whatever else is wrong there", async () => {
    leftover();
    const command = [`POPLIN_DEVICE=${DEVICE}`, "POPLIN_PORT=none", process.execPath, POPLIN, "cleanup"];
    expect((await host.exec("env", command)).stdout).toContain(`removed ${DEVICE} `);
    expect(await exists()).toBe(false);
  });

  it("means flannel.1 where nobody says otherwise", async () => {
    host.ip("tuntap add dev flannel.1 mode tap multi_queue vnet_hdr");
    const { status, stdout } = await cleanup();
    expect([status, stdout]).toEqual([0, expect.stringMatching(/^removed flannel\.1 /)]);
  });

  it("leaves a device that a process holds, and names the process; --force ends it first", async () => {
    leftover();
    const shim = new URL("../../dist/io/linux/shim.js", import.meta.url).pathname;
    const holder = host.spawn(process.execPath, ["--input-type=module", "-e", HOLD, shim], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    try {
      const ended = once(holder, "exit");
      await once(holder.stdout!, "data");
      const refused = await cleanup("--device", DEVICE);
      expect(refused.status).toBe(1);
      expect(refused.stderr).toContain(`${DEVICE} is in use by node (pid ${holder.pid})`);
      expect(refused.stderr).toContain("→ stop it first");
      expect(await exists()).toBe(true);
      expect((await cleanup("--device", DEVICE, "--force")).status).toBe(0);
      expect(await exists()).toBe(false);
      expect(await ended).toEqual([null, "SIGTERM"]);
    } finally {
      holder.kill("SIGKILL");
    }
  });

  it.each([
    ["type vxlan id 7 dstport 8472 local 192.0.2.1", "a vxlan device of the kernel's"],
    ["type veth peer name other", "a veth device of the kernel's"],
  ])("leaves what is no TAP (%s)", async (kind, what) => {
    host.ip(`link add ${DEVICE} ${kind}`);
    const { status, stderr } = await cleanup("--device", DEVICE, "--force");
    expect(status).toBe(1);
    expect(stderr).toContain(`${DEVICE} is ${what} and not poplin's: left as it is`);
    expect(await exists()).toBe(true);
  });

  it("leaves a TUN", async () => {
    host.ip(`tuntap add dev ${DEVICE} mode tun`);
    expect((await cleanup("--device", DEVICE)).stderr).toContain("is a TUN and not poplin's");
    expect(await exists()).toBe(true);
  });

  it("4 without CAP_NET_ADMIN", async () => {
    leftover();
    const wrapper = ["--inh-caps=-all", "--bounding-set=-all", process.execPath, POPLIN, "cleanup"];
    const { status, stderr } = await host.exec("setpriv", [...wrapper, "--device", DEVICE], { check: false });
    expect(status).toBe(4);
    expect(stderr).toContain("CAP_NET_ADMIN");
    expect(await exists()).toBe(true);
  });
});
