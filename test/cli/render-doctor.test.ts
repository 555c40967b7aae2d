/** What `poplin doctor` prints for reports that are known, at 80 columns, and what it exits with. */
import { expect, it } from "vitest";
import { doctorJson, renderDoctor } from "../../src/cli/render-doctor.ts";
import { type Check, examine, type Finding, type Report } from "../../src/doctor/check.ts";
import { CHECKS } from "../../src/doctor/table.ts";
import { healthyNode, withCarrier, withOverlay } from "../doctor/samples.ts";

const STYLE = { width: 80, color: false };
const RULE = "iptables -t filter -A INPUT -i eth0 -p udp -m udp --dport 8472 -j DROP";

const dropped = examine(
  withCarrier({ incoming: { rule: RULE, packets: 9, remedy: RULE.replace("-A", "-D"), grew: 6 } }),
  CHECKS,
);

it("is one line where all is well", () => {
  const report = examine(healthyNode(), CHECKS);
  expect(renderDoctor(report, false, STYLE)).toEqual([`${report.passed.length} checks, all fine`]);
  const all = renderDoctor(report, true, STYLE);
  expect(all).toContain("ok  udp-in-dropped           the firewall lets VXLAN in");
  expect(Math.max(...all.map((line) => line.length))).toBeLessThanOrEqual(80);
});

it("says of a finding what was seen, why it matters, how it is known, and what to type", () => {
  expect(renderDoctor(dropped, false, STYLE)).toEqual([
    "error  udp-in-dropped",
    "  UDP port 8472 is dropped on its way in: iptables -t filter -A INPUT -i eth0 -p",
    "  udp -m udp --dport 8472 -j DROP",
    "  why    nothing from other nodes arrives",
    "  proof  its counter grew by 6 while peers were pinged",
    "  →      iptables -t filter -D INPUT -i eth0 -p udp -m udp --dport 8472 -j DROP",
    "",
    expect.stringMatching(/^\d\d checks: 1 error$/),
  ]);
});

it("has colours for a terminal only, and counts errors and warnings apart", () => {
  const report = examine(withOverlay({ qdisc: "netem" }), CHECKS);
  const both: Report = { findings: [...dropped.findings, ...report.findings], passed: [] };
  expect(renderDoctor(both, false, STYLE).join("\n")).not.toContain("\u001b");
  expect(renderDoctor(both, false, { ...STYLE, color: true })[0]).toContain("\u001b[31merror");
  expect(renderDoctor(both, false, STYLE).at(-1)).toBe("2 checks: 1 error, 1 warning");
});

it("is JSON with -j", () => {
  const json = JSON.parse(JSON.stringify(doctorJson(dropped, false))) as {
    ok: boolean;
    findings: Finding[];
    passed?: Check[];
  };
  expect([json.ok, json.passed]).toEqual([false, undefined]);
  expect(json.findings).toEqual([...dropped.findings]);
  expect(doctorJson(examine(withOverlay({ qdisc: "netem" }), CHECKS), true)).toMatchObject({
    ok: true,
    passed: expect.arrayContaining([expect.objectContaining({ code: "device-down", group: "device" })]),
  });
});
