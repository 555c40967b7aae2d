/** A node that was flanneld's, with the kernel's VXLAN, becomes poplin's; and flanneld takes it back. */
import { writeFileSync } from "node:fs";
import { afterEach, expect, it } from "vitest";
import { LabError } from "../../../src/lab/errors.ts";
import type { FlannelNode } from "../../../src/lab/flannel-node.ts";
import { describeWith, lab, tool } from "../../helpers/needs.ts";
import { until } from "../agents.ts";
import { Pinger } from "../traffic/ping.ts";
import { allKnown, answers, DirectoryLab, keyOf, lines } from "./cluster.ts";
import { EtcdLab, etcdNeeds } from "./etcd.ts";

let clean: () => void | Promise<void>;
afterEach(() => clean());

const MAC = "0a:58:0a:f4:1e:00";

/** What flanneld makes. */
function vxlanOf({ plan }: FlannelNode): string[] {
  return [
    `link add flannel.1 address ${MAC} mtu 1450 type vxlan id 1 dev eth0 local ${plan.address} dstport 8472 nolearning`,
    "link set flannel.1 up",
    "addr add 10.244.30.0/32 dev flannel.1",
  ];
}

/** Whether `what` can be done by now. */
function done(what: () => void): boolean {
  try {
    what();
    return true;
  } catch (error) {
    if (error instanceof LabError && error.message.includes("Address already in use")) return false;
    throw error;
  }
}

describeWith([lab(), tool("ping"), tool("iptables")], "a node with flanneld's VXLAN device", () => {
  it("is taken over with its MAC, so that peers need no change; when flanneld comes back, poplin ends and does not fight", async () => {
    const cluster = new DirectoryLab();
    clean = () => cluster.destroy();
    const [a] = await cluster.start("node-a");
    const b = cluster.node("node-b");
    const vxlan = vxlanOf(b);
    b.host.ip(
      ...vxlan,
      `neigh replace 10.244.99.0 lladdr 02:00:00:00:00:99 dev flannel.1 nud permanent`,
      `route replace 10.244.99.0/24 via 10.244.99.0 dev flannel.1 onlink`,
    );
    const key = "10.244.30.0-24";
    const lease =
      `{"PublicIP":"${b.plan.address}","PublicIPv6":null,"BackendType":"vxlan",` +
      `"BackendData":{"VNI":1,"VtepMAC":"${MAC}"}}`;
    cluster.write(key, lease);
    await until("its row", async () => (await a!.client.fdb()).length === 1);
    const [fdb, said] = [await a!.client.fdb(), a!.log().length];
    await b.start();
    await allKnown([a!, b]);
    expect([keyOf(b), (await b.status()).device.mac]).toEqual([key, MAC]);
    expect(cluster.read(key)).toBe(lease);
    expect(await a!.client.fdb()).toEqual(fdb);
    expect(a!.log().slice(said)).toBe("");
    expect(await answers(a!, b.podIp)).toBe(true);
    // What no lease asks for goes last.
    await until("the row of a lease long gone goes, too", async () => {
      const { stdout } = await b.host.exec("ip", ["route", "show", "dev", "flannel.1"]);
      return !stdout.includes("10.244.99");
    });

    const ping = new Pinger(a!.pod, b.podIp, { interval: 0.05 });
    await ping.next();
    const [add, ...rest] = vxlan;
    b.host.ip("link del flannel.1", add!);
    // The port may be poplin's for a moment more; a flanneld that finds it taken is started again by whoever runs it.
    await until("the device is up", () => done(() => b.host.ip(...rest)));
    expect(await b.end()).toBe(1);
    expect(lines(b, / error /)).toEqual([
      expect.stringMatching(
        /flannel\.1 is a VXLAN device of the kernel's now: flanneld, .* taken this node over/,
      ),
    ]);
    const { stdout } = await b.host.exec("ip", ["-d", "link", "show", "flannel.1"]);
    expect(stdout).toMatch(/vxlan id 1 /);
    // flanneld adds its rows, and pods reach each other again.
    const own = keyOf(a!).replace("-24", "");
    const { mac } = (await a!.status()).device;
    b.host.ip(
      `neigh replace ${own} lladdr ${mac} dev flannel.1 nud permanent`,
      `route replace ${own}/24 via ${own} dev flannel.1 onlink`,
    );
    await b.host.exec("bridge", [
      ...["fdb", "replace", mac, "dev", "flannel.1", "dst", a!.plan.address, "self", "permanent"],
    ]);
    await ping.next();
    await ping.kill();
  });
});

describeWith(etcdNeeds(), "a node with flanneld's VXLAN device, over etcd", () => {
  it("is taken over with the MAC of the device and the subnet of subnet.env, also when its lease has ended meanwhile", async () => {
    const cluster = await EtcdLab.make();
    clean = () => cluster.end();
    const b = cluster.node("node-b");
    b.host.ip(...vxlanOf(b));
    writeFileSync(
      b.subnetFile,
      "FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.30.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n",
    );
    await b.start();
    expect([keyOf(b), (await b.status()).device.mac]).toEqual(["10.244.30.0-24", MAC]);
    expect(await cluster.read("10.244.30.0-24")).toBe(
      `{"PublicIP":"${b.plan.address}","PublicIPv6":null,"BackendType":"vxlan",` +
        `"BackendData":{"VNI":1,"VtepMAC":"${MAC}"}}`,
    );
  });
});
