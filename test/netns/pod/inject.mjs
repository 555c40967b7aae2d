// Sends UDP payloads that somebody else has made: {"address", "port", "sends": [{"hex", "tos"}]} on standard input.
import { text } from "node:stream/consumers";
import { Datagrams } from "./datagrams.mjs";

const { address, port, sends } = JSON.parse(await text(process.stdin));
const socket = new Datagrams(address.includes(":") ? 6 : 4);
for (const { hex, tos } of sends) socket.send(Buffer.from(hex, "hex"), address, port, { tos });
socket.close();
