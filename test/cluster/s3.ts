import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { waitFor } from './wait.ts';

/** A real S3 server over a folder, one subfolder per bucket. */
export type S3Server = {
  endpoint: string;
  accessKeyId: string;
  secretAccessKey: string;
  region: string;
  directory: string;
};

/** Describes the cluster's S3 server and makes its folder and credentials when they are not there yet. */
export async function prepareS3(clusterDirectory: string, address: string, port = 7070): Promise<S3Server> {
  const directory = join(clusterDirectory, 's3');
  await mkdir(directory, { recursive: true });
  const file = join(clusterDirectory, 's3.json');
  if (!existsSync(file)) {
    const keys = {
      accessKeyId: randomBytes(10).toString('hex'),
      secretAccessKey: randomBytes(20).toString('hex'),
    };
    await writeFile(file, JSON.stringify(keys), { mode: 0o600 });
  }
  const keys = JSON.parse(await readFile(file, 'utf8')) as Pick<S3Server, 'accessKeyId' | 'secretAccessKey'>;
  return { endpoint: `http://${address}:${port}`, ...keys, region: 'us-east-1', directory };
}

/** versitygw's arguments and the environment that holds its credentials, away from the process list. */
export function s3Command(server: S3Server): { args: string[]; env: NodeJS.ProcessEnv } {
  return {
    args: [`--port=${new URL(server.endpoint).host}`, `--region=${server.region}`, 'posix', server.directory],
    env: { ROOT_ACCESS_KEY: server.accessKeyId, ROOT_SECRET_KEY: server.secretAccessKey },
  };
}

/** Waits until the server refuses a request without signature, which shows that it listens and checks. */
export async function waitForS3(
  server: S3Server,
  logFile: string,
  isRunning: () => Promise<boolean>,
): Promise<void> {
  await waitFor('S3 server', async () => (await fetch(server.endpoint)).status === 403, {
    timeoutMs: 30_000,
    logFile,
    hopeless: async () => ((await isRunning()) ? undefined : 'versitygw has ended'),
  });
}
