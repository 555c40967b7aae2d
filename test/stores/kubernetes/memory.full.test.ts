/**
 * What a cluster's nodes take: objects of 20 kB come in, some hundred bytes of each stay. In a process of its own, which
 * says what it has had at most.
 */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { vxlanData } from "../../../src/control/flannel/node-lease.ts";
import { built, describeWith, tool } from "../../helpers/needs.ts";
import { flannelsAnnotations, KubernetesStage } from "./stage.ts";

const CHILD = fileURLToPath(new URL("memory-child.mjs", import.meta.url));
const MB = 1024;

/** Images as a kubelet lists them, until the object has 20 kB. */
const IMAGES = Array.from({ length: 122 }, (_, n) => ({
  names: [`registry.example.org/team/image-${n}@sha256:${String(n).padStart(64, "a")}`, `image-${n}:v1.${n}`],
  sizeBytes: 123_456_789 + n,
}));

describeWith([tool("openssl"), built()], "a cluster's memory", () => {
  it.each([1000, 5000])("with %i nodes is far less than their objects", async (count) => {
    const stage = await new KubernetesStage().started();
    try {
      for (let n = 0; n < count; n++) {
        const mac = `0a:00:00:00:${(n >> 8).toString(16).padStart(2, "0")}:${(n & 255).toString(16).padStart(2, "0")}`;
        const annotations = flannelsAnnotations({
          publicIp: `192.168.${n >> 8}.${n & 255}`,
          publicIpv6: null,
          backendType: "vxlan",
          backendData: vxlanData(1, mac),
          backendV6Data: null,
        });
        stage.server.objects.put(`node-${n}`, [`10.${n >> 8}.${n & 255}.0/24`], annotations, {
          images: IMAGES,
        });
      }
      const args = [
        "--expose-gc",
        "--semi-space-growth-factor=1",
        CHILD,
        stage.folder,
        String(stage.server.port),
      ];
      const { stdout } = await promisify(execFile)(process.execPath, args);
      const told = JSON.parse(stdout) as Record<
        "nodes" | "before" | "rss" | "peak" | "heap" | "milliseconds",
        number
      >;
      const size = JSON.stringify(stage.server.objects.nodes.get("node-0")).length;
      const mb = (kb: number): string => `${Math.round(kb / MB)} MB`;
      console.log(
        `${count} nodes of ${size} bytes: heap ${mb(told.heap)}, RSS ${mb(told.before)} before, ${mb(told.rss)} after, ${mb(told.peak)} at most, ${Math.round(told.milliseconds)} ms`,
      );
      expect([told.nodes, size >= 20_000]).toEqual([count, true]);
      expect(told.peak - told.before).toBeLessThan(48 * MB);
    } finally {
      await stage.close();
    }
  });
});
