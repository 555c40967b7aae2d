/**
 * Writes to etcd from within a namespace: a line of JSON with `puts` and `removals` on standard input is a transaction,
 * over etcd's HTTP gateway; an empty line is the answer. Ends on the first that fails.
 */
import { createInterface } from "node:readline";

const url = `${process.argv[2]}/v3/kv/txn`;
const encoded = (text) => Buffer.from(text).toString("base64");

for await (const line of createInterface(process.stdin)) {
  const { puts, removals } = JSON.parse(line);
  const success = [
    ...puts.map(([key, value]) => ({ requestPut: { key: encoded(key), value: encoded(value) } })),
    ...removals.map((key) => ({ requestDeleteRange: { key: encoded(key) } })),
  ];
  const answer = await fetch(url, { method: "POST", body: JSON.stringify({ success }) });
  if (!answer.ok) throw new Error(`etcd: ${answer.status} ${await answer.text()}`);
  console.log("");
}
