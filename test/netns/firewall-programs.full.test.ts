/** Hosts on which only the programs of one kind are installed: the other is missed only where it is needed. */
import { afterEach, beforeEach, expect, it } from "vitest";
import { describeWith, namespaces, tool } from "../helpers/needs.ts";
import { Inside } from "./inside.ts";

describeWith([namespaces(), tool("nft"), tool("iptables")], "a host with one kind only", () => {
  let host: Inside;
  beforeEach(() => {
    host = new Inside(new URL("./firewall-scenarios.ts", import.meta.url));
  });
  afterEach(() => host.remove());
  const nothing = { removed: [], done: [] };

  it("nftables: there is nothing of iptables to take away; iptables is missing only where it is needed", async () => {
    expect(await host.run("onlyNft")).toEqual([
      { removed: [], done: [expect.any(String), expect.any(String)] },
      {
        code: "HOST_IP_MISSING",
        message: "the command `iptables` is not there, and without it no firewall rules can be set",
        remedy: "install the package iptables, or set EnableNFTables in net-conf.json",
      },
      { ...nothing, removed: expect.any(Array) },
    ]);
  });

  it("iptables: the same the other way round", async () => {
    expect(await host.run("onlyIptables")).toEqual([
      { removed: [], done: [expect.any(String)] },
      {
        code: "HOST_IP_MISSING",
        message: "the command `nft` is not there, and without it no firewall rules can be set",
        remedy: "install the package nftables, or leave out EnableNFTables in net-conf.json",
      },
      { ...nothing, removed: expect.any(Array) },
    ]);
  });
});
