/** What image builds take over from this machine, so that they reach the network as the machine itself does. */
import { existsSync } from 'node:fs';
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { run } from './command.ts';

/** An empty folder in every Debian: mounting there leaves no trace in the image. */
const mountPoint = '/mnt';

/** Settings by value; `buildah` and `docker` read the values from the environment, so none is seen in a command line. */
const passedOn = [
  'PIP_INDEX_URL',
  'PIP_EXTRA_INDEX_URL',
  'PIP_TRUSTED_HOST',
  'PIP_DEFAULT_TIMEOUT',
  'PIP_RETRIES',
  'NPM_CONFIG_REGISTRY',
];

/** Build arguments (an undefined value is taken from the environment) and the folder to mount. */
export type BuildSettings = { arguments: Record<string, string | undefined>; volumes: string[] };

/**
 * Collects certificates, npm, pip and apt settings of this machine in `directory`, which is mounted into the build
 * and never part of an image. The Dockerfile declares each build argument in the stage that downloads.
 */
export async function collectBuildSettings(directory: string): Promise<BuildSettings> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const settings: Record<string, string | undefined> = {};
  const offer = (names: readonly string[], file: string) => {
    for (const name of names) settings[name] = `${mountPoint}/${file}`;
  };
  const certificates = await allCertificates();
  if (certificates !== '') {
    await writeFile(join(directory, 'ca.crt'), certificates);
    offer(['NODE_EXTRA_CA_CERTS', 'NPM_CONFIG_CAFILE', 'PIP_CERT'], 'ca.crt');
  }
  const npm = firstExisting([process.env['NPM_CONFIG_USERCONFIG'], join(homedir(), '.npmrc')]);
  if (npm !== undefined) {
    await copyFile(npm, join(directory, 'npmrc'));
    offer(['NPM_CONFIG_USERCONFIG'], 'npmrc');
  }
  const pip = firstExisting([
    process.env['PIP_CONFIG_FILE'],
    join(homedir(), '.config', 'pip', 'pip.conf'),
    join(homedir(), '.pip', 'pip.conf'),
    '/etc/pip.conf',
  ]);
  if (pip !== undefined) {
    await copyFile(pip, join(directory, 'pip.conf'));
    offer(['PIP_CONFIG_FILE'], 'pip.conf');
  }
  await writeFile(join(directory, 'apt.conf'), await aptSettings(certificates !== ''));
  offer(['APT_CONFIG'], 'apt.conf');
  for (const name of passedOn) if (process.env[name]) settings[name] = undefined;
  return { arguments: settings, volumes: [`${directory}:${mountPoint}:ro`] };
}

/** Every certificate file that the machine names, one after the other; one that is named twice is taken once. */
async function allCertificates(): Promise<string> {
  const variables = ['SSL_CERT_FILE', 'NODE_EXTRA_CA_CERTS', 'REQUESTS_CA_BUNDLE', 'PIP_CERT'];
  const files = [...variables.map((name) => process.env[name]), '/etc/ssl/certs/ca-certificates.crt'];
  const present = [...new Set(files)].filter((file) => file !== undefined && existsSync(file));
  return (await Promise.all(present.map((file) => readFile(file as string, 'utf8')))).join('\n');
}

/** The machine's proxy for apt, and its certificates for mirrors that speak https. */
async function aptSettings(hasCertificates: boolean): Promise<string> {
  const dump = await run('apt-config', ['dump']).catch(() => '');
  const lines = dump.split('\n').filter((line) => /^Acquire::(https?|ftp)::(.*::)?Proxy /i.test(line));
  if (hasCertificates) lines.push(`Acquire::https::CaInfo "${mountPoint}/ca.crt";`);
  return `${lines.join('\n')}\n`;
}

function firstExisting(files: readonly (string | undefined)[]): string | undefined {
  return files.find((file) => file !== undefined && existsSync(file));
}
