/** The dataplane's settings of a flannel node: read when it starts and when it is told to, and at no other time. */
import { writeFileSync } from "node:fs";
import { afterEach, expect, it } from "vitest";
import { describeWith, lab, tool } from "../helpers/needs.ts";
import { until } from "./agents.ts";
import { allKnown, DirectoryLab } from "./flannel/cluster.ts";

let cluster: DirectoryLab | undefined;
afterEach(() => cluster?.destroy());

describeWith([lab(), tool("iptables")], "a flannel node", () => {
  it("follows its peers while somebody writes its file, and reads that on SIGHUP", async () => {
    cluster = new DirectoryLab();
    const file = cluster.lab.file("settings.yaml");
    writeFileSync(file, "senderCheck: strict\n");
    const a = cluster.node("node-a", ["--config", file, "-v=1"]);
    const b = cluster.node("node-b");
    await a.start();
    writeFileSync(file, "senderCheck: none of th");
    await b.start();
    await allKnown([a, b]);
    expect(a.log()).not.toMatch(/ error /);
    // What asks for more is heard after the start, too.
    expect(a.log()).toMatch(/ debug .*a look at what is in place/);
    a.signal("SIGHUP");
    await until("it is refused", async () => / error not reloaded.*senderCheck/s.test(a.log()));
    writeFileSync(file, "senderCheck: off\n");
    a.signal("SIGHUP");
    await until("it is taken", async () => / reloaded: senderCheck: strict → off/.test(a.log()));
    await b.stop();
    await b.start();
    await allKnown([a, b]);
    expect(a.log()).not.toMatch(/senderCheck: off →/);
  });
});
