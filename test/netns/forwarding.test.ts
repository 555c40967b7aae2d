/** Forwarding, switched on in a namespace: above all that a node keeps its way out. */
import { existsSync } from "node:fs";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { ForwardingReport } from "../../src/host/forwarding.ts";
import { describeWith, namespaces, tool } from "../helpers/needs.ts";
import { Inside } from "./inside.ts";
import { ipv6 } from "./pods.ts";

let inside: Inside;

function prepare(): void {
  beforeEach(() => {
    inside = new Inside(new URL("./forwarding-scenarios.ts", import.meta.url));
  });
  afterEach(() => inside.remove());
}

describeWith([namespaces(), ipv6(), tool("python3")], "a node with a router that advertises itself", () => {
  prepare();

  it("loses it when forwarding is switched on and nothing else: the kernel is like that", async () => {
    expect(await inside.run("trap")).toEqual({ router: "" });
  });

  it("keeps it, as its advertisements are taken all the same; a second time there is nothing to do", async () => {
    expect(await inside.run("kept")).toEqual({
      report: {
        done: [
          "net.ipv4.ip_forward = 1",
          "net.ipv6.conf.up/7.accept_ra = 2",
          "net.ipv6.conf.all.forwarding = 1",
        ],
        warnings: [],
      },
      forward: ["1", "1"],
      router: expect.stringMatching(/^default via fe80::/),
      again: { done: [], warnings: [] },
    });
  });

  it("hears what to do where /proc/sys is read-only", async () => {
    const { done, warnings } = await inside.run<ForwardingReport>("readOnly");
    expect(done).toEqual([]);
    expect(warnings).toEqual([
      "net.ipv4.ip_forward is 0, and cannot be set (/proc/sys is read-only here): `sysctl -w net.ipv4.ip_forward=1`",
      expect.stringMatching(/^net\.ipv6\.conf\.up\/7\.accept_ra is 1, and cannot be set/),
      "net.ipv6.conf.all.forwarding stays 0, or this node would lose its default route of IPv6",
    ]);
  });

  it("is left alone where the network has only IPv4", async () => {
    expect(await inside.run("onlyIpv4")).toEqual({ done: ["net.ipv4.ip_forward = 1"], ipv6: "0" });
  });
});

const bridges = existsSync("/proc/sys/net/bridge") ? null : "needs the kernel module br_netfilter";

describeWith([namespaces(), bridges], "bridged packets", () => {
  prepare();

  it("should pass iptables: where they do not, somebody is told how they would", async () => {
    expect(await inside.run("bridge")).toEqual({
      fine: [],
      off: [
        expect.stringMatching(
          /bridge-nf-call-ip6tables\).*`sysctl -w net.bridge.bridge-nf-call-ip6tables=1`$/,
        ),
      ],
      onlyIpv4: [],
    });
    expect(await inside.run("noBridge")).toEqual([
      expect.stringMatching(/bridge-nf-call-iptables\).*`modprobe br_netfilter`$/),
    ]);
  });
});
