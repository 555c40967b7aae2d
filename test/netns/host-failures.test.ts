/** What the kernel and iproute2 refuse, step by step and as a whole, in words for people. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { applyHostSteps } from "../../src/host/apply.ts";
import { runBatch } from "../../src/host/batch.ts";
import { HostError } from "../../src/host/ip.ts";
import { deleteLink, readLink } from "../../src/host/link.ts";
import { readDevice } from "../../src/host/read.ts";
import { repairLink } from "../../src/host/repair.ts";
import { describeWith, namespaces, tun } from "../helpers/needs.ts";
import { DEVICE, HostStage, OURS } from "./host-stage.ts";

describeWith([namespaces(), tun()], "what is refused", () => {
  let stage: HostStage;
  beforeAll(() => {
    stage = new HostStage();
  });
  afterAll(() => stage.remove());
  afterEach(() => deleteLink(DEVICE, stage.options));

  it("each line of a batch gets its own result, also where iproute2 gives up", async () => {
    await stage.makeDevice();
    const lines = [
      `neigh replace 10.244.2.0 lladdr 0e:2a:00:00:00:02 nud permanent dev ${DEVICE}`,
      `neigh del 10.244.77.0 dev ${DEVICE}`, // ends the process
      `route add 10.244.2.0/24 via 10.244.2.0 dev ${DEVICE} onlink`,
      `route add 10.244.2.0/24 via 10.244.2.0 dev ${DEVICE} onlink`,
      `neigh replace no-address lladdr 0e:2a:00:00:00:02 nud permanent dev ${DEVICE}`, // ends the process
      "link set dev nothing up",
      `route add 10.244.3.0/24 via 10.244.3.0 dev ${DEVICE} onlink`,
    ];
    expect(await runBatch(lines, stage.options)).toEqual([
      null,
      "No such file or directory",
      null,
      "File exists",
      expect.stringMatching(/no-address/),
      expect.stringMatching(/Cannot find device/),
      null,
    ]);
    expect(stage.ip("route", "show", "10.244.3.0/24")).not.toBe("");
  });

  it("so does each of many, of which a few end the process", async () => {
    await stage.makeDevice();
    const address = (i: number): string => `10.244.${i}.0`;
    const lines = Array.from({ length: 100 }, (_, i) =>
      i % 40 === 17
        ? `neigh del ${address(i)} dev ${DEVICE}`
        : `neigh replace ${address(i)} lladdr 0e:2a:00:00:00:02 nud permanent dev ${DEVICE}`,
    );
    const expected = lines.map((line) => (line.startsWith("neigh del") ? "No such file or directory" : null));
    expect(await runBatch(lines, stage.options)).toEqual(expected);
    const there = (await readDevice(DEVICE, stage.options))!.neighbours.map((row) => row.address);
    expect(new Set(there)).toEqual(new Set(lines.flatMap((_, i) => (i % 40 === 17 ? [] : [address(i)]))));
  });

  it("steps for a device that is gone fail, all of them and at once", async () => {
    const steps = Array.from({ length: 1000 }, (_, i) => ({
      table: "neighbour" as const,
      op: "replace" as const,
      address: `10.${i >> 8}.${i & 255}.1`,
      mac: "0e:2a:00:00:00:02",
    }));
    const results = await applyHostSteps(DEVICE, steps, stage.options);
    expect(results).toHaveLength(1000);
    expect(new Set(results)).toEqual(new Set([`Cannot find device "${DEVICE}"`]));
    expect(await readDevice(DEVICE, stage.options)).toBeNull();
    await expect(repairLink(DEVICE, OURS, stage.options)).rejects.toMatchObject({
      code: "HOST_DEVICE_MISSING",
    });
  });

  it("a namespace that is not there is an error, not an empty answer", async () => {
    const nowhere = { netns: "poplin-no-such-namespace" };
    await expect(readLink(DEVICE, nowhere)).rejects.toBeInstanceOf(HostError);
    await expect(readDevice(DEVICE, nowhere)).rejects.toMatchObject({ code: "HOST_IP_FAILED" });
    await expect(applyHostSteps(DEVICE, [{ table: "address", op: "del", cidr: "10.0.0.1/32" }], nowhere))
      .rejects //
      .toMatchObject({ message: expect.stringMatching(/network namespace/) });
  });

  it("without CAP_NET_ADMIN the error says so, whatever iproute2 says", async () => {
    // The real `ip`, run by nobody, in the machine's own namespace, where nobody may change anything.
    const folder = mkdtempSync(join(tmpdir(), "poplin-ip-"));
    const path = process.env.PATH;
    try {
      chmodSync(folder, 0o755);
      const script =
        '#!/bin/sh\nPATH=/usr/sbin:/sbin:/usr/bin:/bin\nexec setpriv --reuid=65534 --clear-groups ip "$@"\n';
      writeFileSync(join(folder, "ip"), script, { mode: 0o755 });
      process.env.PATH = `${folder}:${path}`;
      const steps = [{ table: "neighbour", op: "del", address: "203.0.113.9", mac: "" }] as const;
      await expect(applyHostSteps("lo", steps)).rejects.toMatchObject({
        code: "HOST_PERMISSION",
        remedy: expect.stringMatching(/CAP_NET_ADMIN/),
      });
      await expect(deleteLink("lo")).rejects.toMatchObject({ code: "HOST_PERMISSION" });
    } finally {
      process.env.PATH = path;
      rmSync(folder, { recursive: true });
    }
  });
});
