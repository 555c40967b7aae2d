/** Certificates for tests, made by openssl: a CA, and servers that it has signed. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface ServerCertificate {
  readonly cert: string;
  readonly key: string;
}

export interface Authority {
  /** PEM. */
  readonly ca: string;
  /** Signed for 127.0.0.1, ::1 and the given name. */
  sign(name: string): ServerCertificate;
  close(): void;
}

/** @returns a new CA; it lives in a folder until `close` */
export function makeAuthority(name = "test CA"): Authority {
  const folder = mkdtempSync(join(tmpdir(), "poplin-ca-"));
  const openssl = (...args: string[]) =>
    execFileSync("openssl", args, { cwd: folder, stdio: ["ignore", "pipe", "pipe"] });
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  openssl(
    "req",
    "-x509",
    ...key,
    "-keyout",
    "ca.key",
    "-out",
    "ca.crt",
    "-days",
    "2",
    "-subj",
    `/CN=${name}`,
  );
  const read = (file: string): string => readFileSync(join(folder, file), "utf8");
  let serial = 0;
  return {
    ca: read("ca.crt"),
    sign(server) {
      const n = ++serial;
      const names = `subjectAltName=DNS:${server},IP:127.0.0.1,IP:::1`;
      openssl(
        "req",
        ...key,
        "-keyout",
        `${n}.key`,
        "-out",
        `${n}.csr`,
        "-subj",
        `/CN=${server}`,
        "-addext",
        names,
      );
      openssl(
        ...["x509", "-req", "-in", `${n}.csr`, "-CA", "ca.crt", "-CAkey", "ca.key", "-set_serial", String(n)],
        ...["-days", "2", "-copy_extensions", "copy", "-out", `${n}.crt`],
      );
      return { cert: read(`${n}.crt`), key: read(`${n}.key`) };
    },
    close() {
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
