/** Certificates by a CA of our own, by openssl. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Pair {
  readonly key: string;
  readonly cert: string;
}

export class Authority {
  readonly #folder = mkdtempSync(join(tmpdir(), "poplin-etcd-ca-"));
  readonly #key: string;
  /** The file with its certificate. */
  readonly cert: string;

  constructor() {
    this.#key = join(this.#folder, "ca.key");
    this.cert = join(this.#folder, "ca.crt");
    this.#openssl(
      "req",
      "-x509",
      ...this.#newKey(this.#key),
      "-out",
      this.cert,
      "-subj",
      "/CN=ca",
      "-days",
      "30",
    );
  }

  /** A certificate for 127.0.0.1, good for servers and clients. */
  issue(name: string): Pair {
    const [key, cert, request, extensions] = ["key", "crt", "csr", "ext"].map((end) =>
      join(this.#folder, `${name}.${end}`),
    ) as [string, string, string, string];
    writeFileSync(extensions, "subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n");
    this.#openssl("req", ...this.#newKey(key), "-out", request, "-subj", `/CN=${name}`);
    const by = ["-CA", this.cert, "-CAkey", this.#key, "-CAcreateserial", "-extfile", extensions];
    this.#openssl("x509", "-req", "-in", request, ...by, "-days", "30", "-out", cert);
    return { key, cert };
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true });
  }

  #newKey(path: string): string[] {
    return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", path];
  }

  #openssl(...args: readonly string[]): void {
    execFileSync("openssl", args, { stdio: "pipe" });
  }
}
