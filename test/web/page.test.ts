/** The page in a browser: it shows what the others show, both ways of pointing, editing, links, and for everybody. */
import { readFileSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { LINKTYPE_ETHERNET, PcapngWriter } from "../../src/io/pcapng.ts";
import { assign, parseAssignment } from "../../src/teach/assign.ts";
import { EXAMPLES } from "../../src/teach/examples.ts";
import { explain, fieldsOf } from "../../src/teach/explanation.ts";
import { addresseeOf, JUDGES, judge } from "../../src/teach/judge/judge.ts";
import { walkToJson } from "../../src/teach/walk-json.ts";
import { linkOf } from "../../src/web/link.ts";
import { exampleState } from "../../src/web/state.ts";
import { RECORDED } from "../../src/web/walk.tsx";
import { hex } from "../../src/wire/index.ts";
import { describeWith, tool } from "../helpers/needs.ts";
import { VECTORS } from "../teach/packets.ts";
import { PageStage } from "./browser.ts";

const MOST_BYTES = 300_000;
const PING = EXAMPLES.ping.bytes;

/** The fields that the page shows: id, title and value. */
function shown(page: Page): Promise<string[][]> {
  return page.$$eval(".tree button", (rows) =>
    rows.map((row) => [
      (row as HTMLElement).dataset.field!,
      row.querySelector(".name")!.textContent!,
      row.querySelector(".value")!.textContent!,
    ]),
  );
}

/** The bytes that the page shows. */
function bytesOf(page: Page): Promise<string> {
  return page.$$eval(".bytes button", (cells) => cells.map((cell) => cell.textContent).join(""));
}

/** What becomes of the packet: "dropped: VXLAN_INVALID_HDR", by each judge. */
function fates(page: Page): Promise<string[]> {
  return page.$$eval(".verdicts .fate", (all) =>
    all.map((one) => one.textContent!.replace(/^\S+ /, "").trim()),
  );
}

/** Waits until the URL says so: it follows what is shown a moment later. */
async function hasLink(page: Page, link: string): Promise<void> {
  await page.waitForFunction((wanted) => location.hash === wanted, link);
}

const said = (bytes: Uint8Array): string[][] =>
  fieldsOf(explain(bytes)).map(({ id, title, text }) => [id, title, text]);

describeWith([tool("chromium")], "the page", () => {
  let stage: PageStage;
  beforeAll(async () => {
    stage = await PageStage.start();
  }, 60_000);
  afterEach(async () => {
    await stage.closePages();
    expect(stage.complaints.splice(0)).toEqual([]);
  });
  afterAll(() => stage?.close());

  it("is one file of less than 300 kB", () => {
    expect(statSync(stage.file).size).toBeLessThan(MOST_BYTES);
    expect(readFileSync(stage.file, "utf8")).not.toMatch(/<(script|link|img)[^>]*(src|href)=/);
  });

  it("can be used soon: the time is said, and judged by nobody", async () => {
    const page = await stage.open();
    const ms = await page.evaluate(() => performance.now());
    console.log(`the page is there ${Math.round(ms)} ms after it was asked for`);
    expect(await bytesOf(page)).toBe(hex(PING));
  });

  it("shows of every vector what the terminal shows", async () => {
    const page = await stage.open();
    for (const [name, bytes] of Object.entries(VECTORS)) {
      const state = { ...exampleState("ping"), original: bytes, bytes, title: name };
      await page.evaluate((link) => {
        location.hash = link;
      }, linkOf(state));
      await page.waitForFunction(
        (length) => document.querySelectorAll(".bytes button").length === length,
        bytes.length,
      );
      expect(await bytesOf(page), name).toBe(hex(bytes));
      expect(await shown(page), name).toEqual(said(bytes));
      const verdicts = judge(explain(bytes), addresseeOf(explain(bytes)));
      const reasons = JUDGES.map((who) => verdicts[who].reason ?? "");
      expect(
        (await fates(page)).map((fate) => fate.split(": ")[1] ?? ""),
        name,
      ).toEqual(reasons);
    }
  });

  it("shows the study's 106 and the wire's 148 bytes, and where each comes from", async () => {
    const page = await stage.open();
    const rows = await page.$$eval("section table:not(.bytes) tr", (all) =>
      all.map((row) => row.textContent),
    );
    expect(rows).toEqual([
      "payload 5656data",
      "+ ICMP echo 8 + IPv4 2084inner IPv4 packet",
      "+ Ethernet 1498inner frame",
      "+ VXLAN 8106UDP payload",
      "+ UDP 8 + IPv4 20134outer IPv4 packet",
      "+ Ethernet 14148on the wire",
    ]);
  });

  it("marks the field of a byte that is pointed at, and the bytes of a field; a click keeps it", async () => {
    const page = await stage.open();
    const marked = (selector: string) =>
      page.$$eval(`${selector}.marked`, (all) => all.map((one) => (one as HTMLElement).dataset));
    await page.hover('.bytes [data-at="47"]');
    expect((await marked(".tree button")).map(({ field }) => field)).toEqual(["vxlan.vni"]);
    await page.hover('.tree [data-field="inner.ipv4.source"]');
    expect((await marked(".bytes button")).map(({ at }) => Number(at))).toEqual([76, 77, 78, 79]);
    await page.click('.bytes [data-at="47"]');
    expect(await page.textContent(".detail h2")).toBe("VNI vxlan.vni");
    await hasLink(page, "#ping&field=vxlan.vni");
    // A byte that several fields share shows one after the other.
    for (const id of ["outer.ipv4.version", "outer.ipv4.headerLength", "outer.ipv4.version"]) {
      await page.click('.bytes [data-at="14"]');
      expect(await page.textContent(".detail h2 small")).toBe(id);
    }
  });

  it("decodes anew what is typed, flipped and written, with checksums put right or left broken", async () => {
    const page = await stage.open("#ping&field=vxlan.i");
    await page.click('[aria-label^="bit 340 "]');
    expect(await fates(page)).toEqual([
      "dropped",
      "dropped: VXLAN_INVALID_HDR",
      "dropped: VXLAN_INVALID_HDR",
    ]);
    await page.click("text=as it was");
    expect(await fates(page)).toEqual(["let in", "let in", "let in"]);

    await page.focus('.bytes [data-at="22"]');
    await page.keyboard.type("01");
    const repaired = assign(PING, [parseAssignment("outer.ttl=1")]);
    expect(await shown(page)).toEqual(said(repaired));
    expect(
      await page.$$eval(".bytes .changed", (all) =>
        all.map((one) => Number((one as HTMLElement).dataset.at)),
      ),
    ).toEqual([22, 24]);
    await page.click("text=as it was");
    await page.uncheck('[name="repair"]');
    await page.focus('.bytes [data-at="22"]');
    await page.keyboard.type("01");
    expect(await fates(page)).toEqual(["dropped: IP_CSUM", "dropped: IP_CSUM", "dropped: IP_CSUM"]);

    await page.click("text=as it was");
    await page.click('.tree [data-field="vxlan.vni"]');
    await page.fill('[name="value"]', "two");
    await page.keyboard.press("Enter");
    expect(await page.textContent("#value-problem")).toMatch(
      /"two" is no value of it; write a whole number from 0 to 16777215/,
    );
    await page.fill('[name="value"]', "2");
    await page.keyboard.press("Enter");
    expect((await fates(page))[1]).toBe("dropped: VXLAN_VNI_NOT_FOUND");
  });

  it("has a link for what it shows, and shows what a link says", async () => {
    const page = await stage.open("#ping&field=vxlan.i");
    await page.click('[aria-label^="bit 340 "]');
    await page.waitForFunction(() => location.hash.includes("&bytes="));
    const other = await stage.open(new URL(page.url()).hash);
    expect(await bytesOf(other)).toBe(await bytesOf(page));
    expect(await other.textContent(".now em")).toBe("changed");
    expect(await other.textContent(".detail h2 small")).toBe("vxlan.i");
    for (const nonsense of ["#nothing", "#bytes=!!!", "#was=&layer=x&field=y", "#%%%"]) {
      expect(await bytesOf(await stage.open(nonsense))).toBe(hex(PING));
    }
  });

  it("takes bytes that are pasted, and a capture", async () => {
    const page = await stage.open();
    await page.click("text=paste bytes");
    await page.fill("textarea", "08 00 00 00 00 00 01 00");
    expect((await shown(page)).map(([id]) => id)).toContain("vxlan.vni");
    await page.fill("textarea", "08 0g");
    expect(await page.textContent('[role="alert"]')).toMatch(
      /That is no packet: line 1: "g" is no hexadecimal digit/,
    );

    const chunks: Uint8Array[] = [];
    const writer = new PcapngWriter((chunk) => chunks.push(chunk));
    writer.addInterface({ name: "eth0", linkType: LINKTYPE_ETHERNET });
    for (const { bytes } of Object.values(EXAMPLES)) writer.packet(0, 0n, bytes);
    await page.setInputFiles('input[type="file"]', {
      name: "some.pcapng",
      mimeType: "application/octet-stream",
      buffer: Buffer.concat(chunks),
    });
    await page.selectOption(".packets select", { index: 3 });
    await page.waitForFunction(
      () => document.querySelector(".now b")!.textContent === "packet 4 of some.pcapng",
    );
    expect(await bytesOf(page)).toBe(hex(EXAMPLES.ipv6.bytes));
  });

  it("follows a ping hop by hop, forward and back, by pointer, keys and link", async () => {
    const page = await stage.open();
    const { hops } = RECORDED;
    const current = () => page.textContent('.way [aria-current="step"]');
    const isAt = async (i: number) => {
      expect(await current()).toBe(`${hops[i]!.host} ${hops[i]!.device}`);
      expect(await bytesOf(page)).toBe(hex(hops[i]!.bytes));
    };
    await page.click("text=follow a ping");
    await isAt(0);
    for (let i = 1; i < hops.length; i++) {
      await page.click("text=forward →");
      await isAt(i);
    }
    expect(await page.isDisabled("text=forward →")).toBe(true);
    await page.click("text=← back");
    await isAt(hops.length - 2);
    await page.focus('.way [aria-current="step"]');
    for (let i = 0; i < 4; i++) await page.keyboard.press("ArrowLeft");
    await isAt(hops.length - 6);
    await hasLink(page, `#walk=${hops.length - 5}`);
    // Where it is encapsulated: the kernel's datagram of the same frame is beside it.
    const at = hops.findIndex(({ device, bytes }) => device === "eth0" && bytes.length === 148);
    const linked = await stage.open(`#walk=${at + 1}`);
    const text = await linked.textContent(".walk");
    expect(text).toContain("148 bytes, 50 put around it");
    expect(text).toContain("MTU 1500: the IP packet has 134, 1366 are free");
    expect(text).toContain("outer.udp.sourcePort: kernel ");
  });

  it("follows another walk that is dropped on it", async () => {
    const page = await stage.open();
    const json = walkToJson({ hops: RECORDED.hops.slice(2, 5), twin: null });
    await page.setInputFiles('input[type="file"]', {
      name: "walk.json",
      mimeType: "application/json",
      buffer: Buffer.from(JSON.stringify(json)),
    });
    await page.waitForSelector(".walk");
    expect(await page.$$eval(".way li", (all) => all.length)).toBe(3);
    expect(await bytesOf(page)).toBe(hex(RECORDED.hops[2]!.bytes));
  });

  it("calculates what a tunnel takes", async () => {
    const page = await stage.open();
    const result = () => page.textContent(".calculator output");
    expect(await result()).toContain("overlay's MTU 1450, TCP MSS 1398");
    await page.check('.calculator fieldset:has-text("underlay") >> nth=0 >> input >> nth=1');
    expect(await result()).toContain("overlay's MTU 1430");
    await page.check('[name="vlan"]');
    await page.fill('[name="mtu"]', "9000");
    expect(await result()).toContain("overlay's MTU 8926");
  });

  it("can be used by keyboard alone", async () => {
    const page = await stage.open();
    await page.focus('.bytes [data-at="0"]');
    for (const key of ["ArrowDown", "ArrowDown", "End", "Home", "ArrowRight"]) await page.keyboard.press(key);
    expect(await page.evaluate(() => (document.activeElement as HTMLElement).dataset.at)).toBe("1");
    for (let i = 0; i < 2; i++) await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Enter");
    expect(await page.textContent(".detail h2 small")).toBe("outer.ipv4.destination");
    // The bytes are one stop of the Tab key.
    await page.keyboard.press("Tab");
    expect(await page.evaluate(() => document.activeElement!.closest(".bytes"))).toBeNull();
  });

  const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
  it.each([
    ["light, wide", "light", 1440],
    ["dark, wide", "dark", 1440],
    ["light, on a phone", "light", 390],
    ["dark, on a phone", "dark", 390],
  ] as const)("is for everybody: %s", async (_name, colorScheme, width) => {
    const link = "#walk=5&field=vxlan.vni";
    const page = await stage.open(link, { colorScheme, viewport: { width, height: 900 } });
    await page.click('[aria-label^="bit 391 "]'); // something is changed, and something dropped
    await page.addScriptTag({ content: AXE });
    const violations = await page.evaluate(async () => {
      // biome-ignore lint/suspicious/noExplicitAny: axe's own types are for another kind of import
      const { violations: found } = await (globalThis as any).axe.run(document, {
        resultTypes: ["violations"],
      });
      return found.map(
        ({ id, impact, nodes }: { id: string; impact: string; nodes: { html: string }[] }) =>
          `${impact}: ${id}: ${nodes[0]!.html}`,
      );
    });
    expect(violations).toEqual([]);
    const overflow = await page.evaluate(
      () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
    );
    expect(overflow).toBe(0);
  });

  it("is dark or light as the system is, and as somebody chooses", async () => {
    const page = await stage.open("#ping", { colorScheme: "dark" });
    const theme = () => page.evaluate(() => document.documentElement.dataset.theme);
    expect(await theme()).toBe("dark");
    await page.click(".theme");
    expect(await theme()).toBe("light");
    await page.reload();
    expect(await theme()).toBe("light");
  });
});
