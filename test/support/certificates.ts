/** Throw-away certificates of a throw-away authority, made by openssl when a test wants them. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface Authority {
  /** PEM file. */
  certificate: string;
  /** @returns PEM files of a certificate for this machine that this authority signed */
  issue(name: string): Promise<{ certificate: string; key: string }>;
}

/** @param directory takes the files */
export async function createAuthority(directory: string, name: string): Promise<Authority> {
  const openssl = (...args: string[]) => run('openssl', args, { cwd: directory });
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const root = { cert: join(directory, `${name}.pem`), key: join(directory, `${name}.key`) };
  await openssl('req', '-x509', ...key, '-keyout', root.key, '-out', root.cert, '-days', '1', '-subj', `/CN=${name}`);
  return {
    certificate: root.cert,
    async issue(leaf) {
      const files = { certificate: join(directory, `${leaf}.pem`), key: join(directory, `${leaf}.key`) };
      const subject = ['-subj', `/CN=${leaf}`, '-addext', 'subjectAltName=IP:127.0.0.1,DNS:localhost'];
      const signer = ['-CA', root.cert, '-CAkey', root.key, '-days', '1'];
      await openssl('req', '-x509', ...key, '-keyout', files.key, '-out', files.certificate, ...subject, ...signer);
      return files;
    },
  };
}
