/** Takes TCP connections on loopback and passes them on to a Unix socket, which is reached from every namespace. */
import { connect, createServer } from "node:net";

const [port, path] = process.argv.slice(2);
createServer((from) => {
  const to = connect(path);
  from.pipe(to).pipe(from);
  for (const [one, other] of [
    [from, to],
    [to, from],
  ]) {
    one.on("error", () => other.destroy());
    one.on("close", () => other.destroy());
  }
}).listen(Number(port), "127.0.0.1", () => console.log("listening"));
