import { generateKeyPairSync } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from './command.ts';

/** What a certificate is for: subject, and for servers the names and addresses it answers to. */
export type Identity = { commonName: string; organization?: string; names?: string[] };

const validity = ['-days', '3650'];
const ecKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];

/** Certificates of one cluster, all signed by its own authority, as PEM files in one folder. Made once, then read. */
export class Certificates {
  readonly directory: string;

  constructor(directory: string) {
    this.directory = directory;
  }

  get authority(): string {
    return join(this.directory, 'ca.crt');
  }

  certificate(name: string): string {
    return join(this.directory, `${name}.crt`);
  }

  key(name: string): string {
    return join(this.directory, `${name}.key`);
  }

  /** Makes what is missing: the authority, the key pair that signs service-account tokens, one certificate per identity. */
  async ensure(identities: Record<string, Identity>): Promise<void> {
    await mkdir(this.directory, { recursive: true, mode: 0o700 });
    if (!existsSync(this.authority)) {
      const subject = [
        '-subj',
        '/CN=finetune-cluster',
        '-addext',
        'keyUsage=critical,keyCertSign,digitalSignature',
      ];
      const output = ['-keyout', this.key('ca'), '-out', this.authority];
      await run('openssl', ['req', '-x509', ...ecKey, ...validity, ...subject, ...output]);
    }
    if (!existsSync(this.key('service-account'))) await this.#makeTokenKeys();
    const missing = Object.entries(identities).filter(([name]) => !existsSync(this.certificate(name)));
    await Promise.all(missing.map(([name, identity]) => this.#sign(name, identity)));
  }

  /** Text of a kubeconfig for one of the identities, with everything inside. */
  async kubeconfig(name: string, server: string): Promise<string> {
    const base64 = async (file: string) => (await readFile(file)).toString('base64');
    return JSON.stringify({
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': 'finetune',
      clusters: [
        { name: 'finetune', cluster: { server, 'certificate-authority-data': await base64(this.authority) } },
      ],
      users: [
        {
          name,
          user: {
            'client-certificate-data': await base64(this.certificate(name)),
            'client-key-data': await base64(this.key(name)),
          },
        },
      ],
      contexts: [{ name: 'finetune', context: { cluster: 'finetune', user: name } }],
    });
  }

  async #makeTokenKeys(): Promise<void> {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const publicPem = publicKey.export({ type: 'spki', format: 'pem' });
    await writeFile(join(this.directory, 'service-account.pub'), publicPem);
    const privatePem = privateKey.export({ type: 'sec1', format: 'pem' });
    await writeFile(this.key('service-account'), privatePem, { mode: 0o600 });
  }

  async #sign(name: string, { commonName, organization, names = [] }: Identity): Promise<void> {
    const subject = `${organization ? `/O=${organization}` : ''}/CN=${commonName}`;
    const alternatives = names.map((entry) => `${/^[\d.]+$/.test(entry) ? 'IP' : 'DNS'}:${entry}`);
    const extensions = [
      'basicConstraints=critical,CA:FALSE',
      'keyUsage=critical,digitalSignature',
      'extendedKeyUsage=serverAuth,clientAuth',
      ...(alternatives.length > 0 ? [`subjectAltName=${alternatives.join(',')}`] : []),
    ].flatMap((extension) => ['-addext', extension]);
    const signer = ['-CA', this.authority, '-CAkey', this.key('ca')];
    const output = ['-keyout', this.key(name), '-out', this.certificate(name)];
    const request = ['req', '-x509', ...ecKey, ...validity, ...signer];
    await run('openssl', [...request, '-subj', subject, ...extensions, ...output]);
  }
}
