/**
 * The units under a real systemd, installed by the commands of deploy/README.md: how agents start, what they may do, how
 * they are reloaded, replaced, restarted and stopped. What systemd's analysers say of them is in `test/deploy/`.
 */
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, it } from "vitest";
import { stringify } from "yaml";
import type { AgentStatus } from "../../../src/agent/api/status-types.ts";
import { ROOT } from "../../helpers/imports.ts";
import { describeWith, lab, systemd as runnable, tool } from "../../helpers/needs.ts";
import { until } from "../agents.ts";
import { ServiceStage } from "../service-stage.ts";
import { Pinger } from "../traffic/ping.ts";
import { Systemd } from "./systemd.ts";

const AGENT = "poplin-agent";
const PEER = "10.244.2.2";
/** Capabilities' numbers: CAP_NET_ADMIN and CAP_NET_RAW (capability.h). */
const BOTH = (1n << 12n) | (1n << 13n);

/** The block of indented lines in deploy/README.md that has `words` in it. */
function installation(words: string): string {
  const blocks = readFileSync(`${ROOT}/deploy/README.md`, "utf8").split(/\n(?! {4})/);
  return blocks.find((block) => block.includes(words))!;
}

describeWith([lab(), runnable(), tool("ping"), tool("nft")], "under systemd", () => {
  let stage: ServiceStage;
  let systemd: Systemd;
  beforeAll(async () => {
    stage = new ServiceStage();
    await stage.prepare();
    systemd = await Systemd.boot(stage.a.host, stage.cluster.lab.file("systemd"));
    await systemd.exec("systemctl", ["start", "systemd-journald.socket", "systemd-journald.service"]);
  }, 60_000);
  afterAll(async () => {
    await systemd?.destroy();
    stage?.destroy();
  });

  const status = async (): Promise<AgentStatus> => JSON.parse(await systemd.sh("poplin status -j"));
  const state = () => systemd.show(AGENT, "ActiveState");
  const pings = async (): Promise<boolean> => {
    const { status } = await stage.a.pod.exec("ping", ["-c", "1", "-W", "1", PEER], { check: false });
    return status === 0;
  };

  /** What a unit's processes have said. */
  const journal = (unit: string, options = ""): Promise<string> =>
    systemd.sh(`journalctl --quiet --no-pager --output=cat ${options} _SYSTEMD_UNIT=${unit}.service`);

  /** Another version for a unit's process, in the words of deploy/README.md. @returns once it alone is the service */
  async function replace(unit: string): Promise<void> {
    const before = await systemd.show(unit, "MainPID");
    await systemd.sh(installation("--signal=SIGUSR2").replace(AGENT, unit));
    const next = await until("another main process", async () => {
      const pid = await systemd.show(unit, "MainPID");
      return pid !== "0" && pid !== before && pid;
    });
    await until("it answers", async () => String((await status()).pid) === next);
    const members = `/sys/fs/cgroup/system.slice/${unit}.service/cgroup.procs`;
    await until("it is alone", async () => (await systemd.sh(`cat ${members}`)).trim() === next);
    const restarts = await systemd.show(unit, "NRestarts");
    expect([await systemd.show(unit, "ActiveState"), restarts]).toEqual(["active", "0"]);
  }

  /** node-a's configuration in the place where the unit looks for it. */
  async function configure(changes: Record<string, unknown> = {}): Promise<void> {
    const { socket: _, ...config } = stage.a.config;
    const peers = stage.cluster.peersOf(stage.a).map(({ address, vtepMac, subnet }) => ({
      ...{ publicIp: address, vtepMac, subnet },
    }));
    const input = stringify({ ...config, peers, ...changes });
    await systemd.exec("sh", ["-c", "cat > /etc/poplin/agent.yaml"], { input });
  }

  it("a unit starts as deploy/README.md says, and its agent forwards as soon as it is started", async () => {
    const [install, start] = installation("systemctl daemon-reload").split(/(?=\n.*systemctl daemon-reload)/);
    await systemd.sh(`cd /usr/local/lib/poplin\n${install}`);
    await configure();
    await systemd.sh(start!, { timeout: 60_000 });
    expect(await state()).toBe("active");
    expect(await pings()).toBe(true);
    expect(await systemd.show(AGENT, "StatusText")).toBe("forwards");
    // It asked another unit for what it may not do itself.
    expect(await systemd.sh("cat /proc/sys/net/ipv4/ip_forward")).toBe("1\n");
    expect(await systemd.sh("systemctl --failed --plain --no-legend")).toBe("");
  });

  it("runs as its user, may do two things more than others, and is held to its filter", async () => {
    const pid = await systemd.show(AGENT, "MainPID");
    const text = await systemd.sh(`cat /proc/${pid}/task/*/status`);
    const all = (name: string) => [...new Set(text.match(new RegExp(`(?<=^${name}:\\t).*`, "gm")))];
    expect(all("CapEff").map((mask) => BigInt(`0x${mask}`))).toEqual([BOTH]);
    expect(all("CapBnd").map((mask) => BigInt(`0x${mask}`))).toEqual([BOTH]);
    expect([all("NoNewPrivs"), all("Seccomp")]).toEqual([["1"], ["2"]]);
    expect(all("Uid")[0]!.split("\t")[0]).toBe((await systemd.sh("id -u poplin")).trim());
    expect(await systemd.sh("stat -c %a:%U /run/poplin/agent.sock")).toBe("600:poplin\n");
    expect(await systemd.sh("poplin privileges")).not.toMatch(/missing/i);
    // A sandbox that took too much away would show here.
    expect(await journal(AGENT, "-p warning")).toBe("");
    expect(await journal(AGENT)).toMatch(/^forwarding VNI 1 /m);
  });

  it("`systemctl reload` has its configuration read again, and is over when that is done", async () => {
    await configure({ tos: 8 });
    await systemd.exec("systemctl", ["reload", AGENT]);
    await until("the reload", async () => (await status()).config.lastReload?.ok);
    expect((await status()).policy.tos).toBe(8);
    await until("systemd has heard of it", async () => (await state()) === "active");
  });

  it("what it refuses stands in the journal at its level, and in a report", async () => {
    await configure({ tos: "x" });
    await systemd.exec("systemctl", ["reload", AGENT]);
    const said = await until("an entry", async () => (await journal(AGENT, "-p warning")) || undefined);
    expect(said).toMatch(/tos/);
    await configure();
    const report = "cd /tmp && poplin report >/dev/null && tar -xOf poplin-report-*.tar.gz --wildcards";
    expect(await systemd.sh(`${report} '*/journal.txt'`, { timeout: 60_000 })).toContain("forwarding VNI 1");
    expect(await state()).toBe("active");
  });

  it("another version takes over without a lost packet, as deploy/README.md says, and is the service then", async () => {
    const ping = new Pinger(stage.a.pod, PEER, { interval: 0.005 });
    await ping.next();
    for (let turn = 0; turn < 2; turn++) {
      await replace(AGENT);
      await ping.next();
    }
    expect(await ping.stop()).toMatchObject({ lost: [], duplicates: 0 });
  });

  it("one that is killed, and one that hangs, are started again; its device stays meanwhile", async () => {
    const device = await systemd.sh("cat /sys/class/net/flannel.1/ifindex");
    const restarted = async (signal: string): Promise<void> => {
      const before = await systemd.show(AGENT, "NRestarts");
      await systemd.sh(`systemctl kill --kill-whom=main --signal=${signal} ${AGENT}`);
      await until("a restart", async () => (await systemd.show(AGENT, "NRestarts")) !== before, 30_000);
      await until("it is ready", async () => (await state()) === "active", 30_000);
      expect(await pings()).toBe(true);
    };
    // The one that has taken over is no child of systemd's from the start.
    await restarted("KILL");
    await systemd.sh(`mkdir -p /etc/systemd/system/${AGENT}.service.d`);
    await systemd.sh(
      `printf '[Service]\\nWatchdogSec=2\\n' > /etc/systemd/system/${AGENT}.service.d/test.conf`,
    );
    await systemd.sh(`systemctl daemon-reload && systemctl restart ${AGENT}`);
    await restarted("STOP");
    expect(await systemd.sh("cat /sys/class/net/flannel.1/ifindex")).toBe(device);
  });

  it("`systemctl stop` ends it as asked, and nothing has failed", async () => {
    await systemd.exec("systemctl", ["stop", AGENT]);
    expect([await state(), await systemd.show(AGENT, "Result")]).toEqual(["inactive", "success"]);
    expect(await systemd.sh("ls /run")).not.toContain("poplin");
  });

  it("a flannel node starts in its unit, with firewall rules and subnet.env", async () => {
    const { address } = stage.a.plan;
    const conf = { Network: "10.244.0.0/16", EnableNFTables: true, Backend: { Type: "vxlan" } };
    await systemd.sh("install -d -o poplin /srv/leases && cat > /srv/leases/config", {
      input: JSON.stringify(conf),
    });
    const flags = `--lease-dir=/srv/leases --public-ip=${address} --iface=eth0 --ip-masq`;
    await systemd.sh("cat > /etc/poplin/flanneld.env", { input: `POPLIN_FLANNELD_FLAGS="${flags}"\n` });
    const unit = "/etc/systemd/system/poplin-flanneld.service.d";
    await systemd.sh(
      `mkdir ${unit} && printf '[Service]\\nReadWritePaths=/srv/leases\\n' > ${unit}/leases.conf`,
    );
    await systemd.sh("poplin cleanup && systemctl daemon-reload && systemctl start poplin-flanneld", {
      timeout: 60_000,
    });
    expect(await systemd.show("poplin-flanneld", "StatusText")).toBe("forwards");
    expect(await systemd.sh("cat /run/flannel/subnet.env")).toMatch(/^FLANNEL_NETWORK=10\.244\.0\.0\/16\n/);
    expect(await systemd.sh("nft list tables")).toContain("flannel");
    await replace("poplin-flanneld");
    expect(await journal("poplin-flanneld", "-p warning")).toBe("");
    await systemd.exec("systemctl", ["stop", "poplin-flanneld"]);
    // Pods are set up from it, and stay.
    expect(await systemd.sh("ls /run/flannel")).toBe("subnet.env\n");
  });
});
