/** `poplin/io/linux`: the ports of a Linux host. They need the native shim (`npm run build:shim`). */
export { BatchUnderlay } from "./batch.ts";
export * from "./errors.ts";
export { loadShim, type UdpSocket, type UdpSocketOptions } from "./shim.ts";
export { LinuxTap, type OpenTap, openTap, openTapQueue } from "./tap.ts";
export { openUdp, openUdpGroup } from "./udp.ts";
export { LinuxWaiter } from "./waiter.ts";
