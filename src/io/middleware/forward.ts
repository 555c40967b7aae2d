/** Ports that pass everything on to another port: what middleware overrides one method of. */
import type { Tap, Underlay, UnderlayCapabilities } from "../../dataplane/ports.ts";
import type { Ring } from "../../dataplane/ring.ts";

export class ForwardingTap implements Tap {
  readonly name: string;
  readonly fd: number;
  protected readonly inner: Tap;

  constructor(inner: Tap) {
    this.name = inner.name;
    this.fd = inner.fd;
    this.inner = inner;
  }

  get more(): boolean | undefined {
    return this.inner.more;
  }

  readBatch(ring: Ring, max: number): number {
    return this.inner.readBatch(ring, max);
  }

  writeBatch(ring: Ring, count?: number): number {
    return this.inner.writeBatch(ring, count);
  }

  setWake(wake: (() => void) | null): void {
    this.inner.setWake(wake);
  }

  setInterest(readable: boolean, writable: boolean): void {
    this.inner.setInterest(readable, writable);
  }

  close(): void {
    this.inner.close();
  }
}

export class ForwardingUnderlay implements Underlay {
  readonly kind: string;
  readonly family: 4 | 6;
  readonly capabilities: UnderlayCapabilities;
  readonly sourcePorts: Uint16Array;
  readonly fd: number;
  protected readonly inner: Underlay;

  constructor(inner: Underlay) {
    this.kind = inner.kind;
    this.family = inner.family;
    this.capabilities = inner.capabilities;
    this.sourcePorts = inner.sourcePorts;
    this.fd = inner.fd;
    this.inner = inner;
  }

  recvBatch(ring: Ring, max: number): number {
    return this.inner.recvBatch(ring, max);
  }

  sendBatch(ring: Ring, addresses: Uint8Array, count = ring.length): number {
    return this.inner.sendBatch(ring, addresses, count);
  }

  overflows(): number {
    return this.inner.overflows();
  }

  get writeFd(): number | undefined {
    return this.inner.writeFd;
  }

  get takesSuperFrames(): boolean | undefined {
    return this.inner.takesSuperFrames;
  }

  get superHeadLength(): number | undefined {
    return this.inner.superHeadLength;
  }

  get superRefused(): string | undefined {
    return this.inner.superRefused;
  }

  get gsoRefused(): string | undefined {
    return this.inner.gsoRefused;
  }

  get gsoFallbacks(): number | undefined {
    return this.inner.gsoFallbacks;
  }

  get asyncErrors(): number | undefined {
    return this.inner.asyncErrors;
  }

  get lastAsyncErrno(): number | undefined {
    return this.inner.lastAsyncErrno;
  }

  setWake(wake: (() => void) | null): void {
    this.inner.setWake(wake);
  }

  setInterest(readable: boolean, writable: boolean): void {
    this.inner.setInterest(readable, writable);
  }

  close(): void {
    this.inner.close();
  }
}
