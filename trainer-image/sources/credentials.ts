import { readFile, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { TrainerError } from '../failure.ts';

export type Credentials = { accessKeyId: string; secretAccessKey: string; sessionToken?: string };

/** The link that the kubelet sets anew when a Secret changes: what it leads to is one version of all its keys. */
const currentVersion = '..data';
/** Versions that may be replaced, one after the other, while they are read. */
const maxVersions = 5;

/**
 * Keys of a mounted Secret for the S3 client, which asks before each request: sessions end, and the files change while a
 * run is under way. A version that cannot be read leaves the one before it in use; the server judges that.
 * @throws TrainerError SourceForbidden when the first version cannot be read
 */
export async function openCredentials(
  directory: string,
  uri: string,
): Promise<() => Promise<Credentials & { expiration: Date }>> {
  let last = await readCredentials(directory, uri);
  return async () => {
    last = await readCredentials(directory, uri).catch(() => last);
    // Over at once, or the client would go on with those that it knows.
    return { ...last, expiration: new Date() };
  };
}

/**
 * Reads the mounted Secret: one file per key, all of one version. A line break at the end, as `echo` leaves it, is dropped.
 * @throws TrainerError SourceForbidden when a key is missing or cannot be read
 */
export async function readCredentials(directory: string, uri: string): Promise<Credentials> {
  let version = await versionOf(directory);
  for (let versions = 1; ; versions++) {
    const read = await readKeys(version, uri).catch((error: TrainerError) => error);
    const now = await versionOf(directory);
    // A version that is replaced loses one file after the other, perhaps the session token alone.
    if (now === version || versions === maxVersions) {
      if (read instanceof Error) throw read;
      return read;
    }
    version = now;
  }
}

/** The folder that holds the keys as they are now; `directory` itself where no kubelet made it. */
async function versionOf(directory: string): Promise<string> {
  return realpath(join(directory, currentVersion)).catch(() => directory);
}

async function readKeys(directory: string, uri: string): Promise<Credentials> {
  const accessKeyId = await readKey(directory, 'accessKeyId');
  const secretAccessKey = await readKey(directory, 'secretAccessKey');
  const sessionToken = await readKey(directory, 'sessionToken');
  const missing = [
    ...(accessKeyId === undefined ? ['accessKeyId'] : []),
    ...(secretAccessKey === undefined ? ['secretAccessKey'] : []),
  ];
  if (accessKeyId === undefined || secretAccessKey === undefined) {
    throw new TrainerError(
      'SourceForbidden',
      `The Secret with the credentials for ${uri} has no ${missing.join(' and no ')}.`,
      'Give the Secret in credentialsSecretRef the keys accessKeyId and secretAccessKey (and sessionToken where used), not empty.',
    );
  }
  return { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) };
}

async function readKey(directory: string, key: string): Promise<string | undefined> {
  try {
    const text = (await readFile(join(directory, key), 'utf8')).trim();
    return text === '' ? undefined : text;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new TrainerError(
      'SourceForbidden',
      `The file ${join(directory, key)} with the credentials cannot be read: ${code ?? 'unknown error'}.`,
      'Check how the Secret in credentialsSecretRef is mounted.',
    );
  }
}
