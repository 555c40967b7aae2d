/** Nodes that start at the same moment where there are two subnets, and what a store may hold that no node can use. */
import { afterEach, expect, it } from "vitest";
import { describeWith, lab, tool } from "../../helpers/needs.ts";
import { until } from "../agents.ts";
import { allKnown, answers, DirectoryLab, type FlannelLab, keyOf, lines } from "./cluster.ts";
import { EtcdLab, etcdNeeds } from "./etcd.ts";
import { KubernetesLab } from "./kubernetes.ts";

let clean: () => void | Promise<void>;
afterEach(() => clean());

/** Two subnets, and so both nodes are likely to want the same one. */
const TWO = {
  ...{ Network: "10.244.0.0/22", SubnetLen: 24, SubnetMin: "10.244.1.0", SubnetMax: "10.244.2.0" },
  Backend: { Type: "vxlan" },
};

/** Starts two nodes at once, then a third. */
async function race(cluster: FlannelLab & { node(name: string): ReturnType<FlannelLab["add"]> }) {
  const nodes = [cluster.node("node-a"), cluster.node("node-b")];
  await Promise.all(nodes.map((node) => node.start()));
  await allKnown(nodes);
  expect(nodes.map(keyOf).sort()).toEqual(["10.244.1.0-24", "10.244.2.0-24"]);
  expect(await answers(nodes[0]!, nodes[1]!.podIp)).toBe(true);
  const third = cluster.node("node-c");
  third.launch();
  expect(await third.end()).toBe(1);
  expect(lines(third, /all .*subnets .*are taken/)).toHaveLength(1);
}

/**
 * A node that starts with another's public IP is that node to the store. The first says who has its lease, and ends; the
 * others follow the second.
 */
async function impostor(
  cluster: FlannelLab & { node(name: string, flags?: string[]): ReturnType<FlannelLab["add"]> },
) {
  const [a, b] = [cluster.node("node-a"), cluster.node("node-b")];
  await Promise.all([a.start(), b.start()]);
  await allKnown([a, b]);
  const key = keyOf(a);
  const second = cluster.node("node-c", ["--ip-masq", "--public-ip", a.plan.address]);
  const [end] = await Promise.all([a.end(), second.start()]);
  expect(end).toBe(1);
  const said = new RegExp(
    `${key.replaceAll(".", "\\.")}.*${a.plan.address}.*public IP|public IP ${a.plan.address}`,
  );
  expect(lines(a, said)).toHaveLength(1);
  expect(keyOf(second)).toBe(key);
  const { mac } = (await second.status()).device;
  await until("the second's MAC", async () => (await b.client.fdb()).some((row) => row.mac === mac));
  expect((await b.client.fdb()).map((row) => row.mac)).toEqual([mac]);
}

const NEEDS = [lab(), tool("ping"), tool("iptables")];

describeWith(NEEDS, "two nodes that start at once over a directory", () => {
  it("get a subnet each of two, and a third is told that there is none", async () => {
    const cluster = new DirectoryLab(TWO);
    clean = () => cluster.destroy();
    await race(cluster);
  });
});

describeWith([...NEEDS, ...etcdNeeds()], "two nodes that start at once over etcd", () => {
  it("wait for the configuration, get a subnet each of two, and a third is told that there is none", async () => {
    const cluster = await EtcdLab.make(null);
    clean = () => cluster.end();
    const early = cluster.node("node-0");
    early.launch();
    const complaint = /no network configuration .*\/coreos\.com\/network\/config/;
    await until("the complaint", () => lines(early, complaint).length > 0);
    expect(await early.stop()).toBe(0);
    early.launch();
    await until("the complaint again", () => lines(early, complaint).length > 1);
    await cluster.setConf(TWO);
    await early.ready();
    expect(lines(early, complaint)).toHaveLength(2);
    expect(await early.stop()).toBe(0);
    await cluster.remove(keyOf(early));
    await race(cluster);
  });
});

describeWith(NEEDS, "a node over a directory", () => {
  it("that starts with the public IP of another gets its lease, and the other ends and says why", async () => {
    const cluster = new DirectoryLab();
    clean = () => cluster.destroy();
    await impostor(cluster);
  });
});

describeWith([...NEEDS, ...etcdNeeds()], "a node over etcd", () => {
  it("that starts with the public IP of another gets its lease, and the other ends and says why", async () => {
    const cluster = await EtcdLab.make();
    clean = () => cluster.end();
    await impostor(cluster);
  });
});

describeWith([...NEEDS, tool("openssl")], "a node of Kubernetes", () => {
  it("without a podCIDR waits, says in a line what to do, and joins when it has one", async () => {
    const cluster = await KubernetesLab.make();
    clean = () => cluster.end();
    const a = await cluster.node("node-a", []);
    a.launch();
    const complaint = /the node node-a has no podCIDR of IPv4.*allocate-node-cidrs/;
    await until("the complaint", () => lines(a, complaint).length > 0, 20_000);
    cluster.stage.server.objects.put("node-a", ["10.244.1.0/24"]);
    await a.ready();
    expect(lines(a, complaint)).toHaveLength(1);
    expect(cluster.annotations("node-a")["public-ip"]).toBe(a.plan.address);
  });

  it("with a podCIDR outside the network ends, and says which and where", async () => {
    const cluster = await KubernetesLab.make();
    clean = () => cluster.end();
    const a = await cluster.node("node-a", ["10.9.1.0/24"]);
    a.launch();
    expect(await a.end()).toBe(1);
    expect(
      lines(a, /the podCIDR 10\.9\.1\.0\/24 of node node-a is not in the network 10\.244\.0\.0\/16/),
    ).toHaveLength(1);
    expect(a.log()).toMatch(/→ .*Network/);
  });

  it("that is deleted and added with another podCIDR ends, says so in a line, and joins with it when started again", async () => {
    const cluster = await KubernetesLab.make();
    clean = () => cluster.end();
    const a = await cluster.node("node-a", ["10.244.1.0/24"]);
    const b = await cluster.node("node-b", ["10.244.2.0/24"]);
    await Promise.all([a.start(), b.start()]);
    await allKnown([a, b]);
    const { objects } = cluster.stage.server;
    objects.delete("node-a");
    objects.put("node-a", ["10.244.7.0/24"]);
    expect(await a.end()).toBe(1);
    expect(lines(a, / error /)).toEqual([
      expect.stringMatching(/the podCIDR of node node-a is 10\.244\.7\.0\/24 now, and was 10\.244\.1\.0\/24/),
    ]);
    await a.start();
    await allKnown([a, b]);
    expect(keyOf(a)).toBe("10.244.7.0-24");
    expect((await b.status()).peers.map(({ subnets }) => subnets)).toEqual([["10.244.7.0/24"]]);
  });
});

describeWith(NEEDS, "leases written by hand whose subnets overlap", () => {
  it("make one peer: the first keeps it, the other is reported, and takes over when the first goes", async () => {
    const cluster = new DirectoryLab();
    clean = () => cluster.destroy();
    const lease = (n: number) => ({
      ...{ PublicIP: `172.19.0.${n}`, BackendType: "vxlan" },
      BackendData: { VNI: 1, VtepMAC: `02:00:00:00:00:${n}` },
    });
    const [a, b] = await cluster.start("node-a", "node-b");
    cluster.write("10.244.128.0-20", lease(81));
    await until("the first", async () => (await a!.status()).peers.length === 2);
    cluster.write("10.244.130.0-24", lease(82));
    const left = /10\.244\.130\.0-24 is left out: /;
    await until("the complaint", () => lines(a!, left).length > 0);
    const status = (await a!.poplin(["status"])).stdout;
    expect(status).toMatch(/leases that make no peer: 1 of 4/);
    expect((await a!.poplin(["lease", "list"])).stdout).toMatch(
      /^10\.244\.130\.0\/24 .*\n +left out: .*10\.244\.128\.0/m,
    );
    expect(lines(a!, left)).toHaveLength(1);
    expect(await answers(a!, b!.podIp)).toBe(true);
    cluster.remove("10.244.128.0-20");
    await until("its turn", async () =>
      (await a!.status()).peers.some(({ publicIp }) => publicIp === "172.19.0.82"),
    );
    await until("no bad lease", async () => (await a!.status()).cluster!.leases.bad === 0);
  });
});
