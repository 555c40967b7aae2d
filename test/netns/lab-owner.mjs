// Owns a lab and says its id; then does as its argument says. Run from dist/, as a process of its own that can be killed.
import { Lab } from "../../dist/lab/lab.js";

const lab = Lab.create();
const host = lab.addHost("one");
host.spawn("sleep", ["600"], { stdio: "ignore", detached: true }).unref();
if (process.argv[2] === "keep") lab.keep();
console.log(lab.id);
if (process.argv[2] === "throw") setTimeout(() => nothing.like.this, 100);
else if (process.argv[2] === "wait") setInterval(() => {}, 1000);
