/**
 * The packets of a capture, one line each, and the first VXLAN packet of it explained, with what becomes of it at a VTEP.
 *
 *   sudo poplin capture -c 10 -w underlay.pcapng
 *   node examples/explain-pcap.mjs underlay.pcapng        (after `npm run setup`)
 */
import { readFileSync } from "node:fs";
import { readCapture } from "poplin/io";
import { explain, explainText, judge, summarize } from "poplin/teach";

const { packets, problem } = readCapture(readFileSync(process.argv[2]));
for (const { bytes } of packets) console.log(summarize(bytes));
if (problem !== undefined) console.log(problem);

const first = packets
  .map(({ bytes }) => explain(bytes))
  .find(({ parts }) => parts.some(({ tone }) => tone === "tunnel"));
if (first === undefined) console.log("no VXLAN packet is in it");
else {
  console.log(`\n${explainText(first).join("\n")}\n`);
  for (const [who, { fate, reason, words }] of Object.entries(judge(first)))
    console.log(`${who}: ${reason ?? fate}. ${words}`);
}
