import { S3Client } from '@aws-sdk/client-s3';
import type { Location } from '../../crds/trainer-contract.ts';
import { openCredentials } from './credentials.ts';
import { deservesAnotherTry } from './s3-failure.ts';

export type S3Location = Extract<Location, { kind: 's3' }>;

/** Tries of one request by the SDK, and of one download that breaks off in the middle. */
export const maxAttempts = 5;
const connectionTimeoutMs = 10_000;
/** Time without a single byte after which a connection counts as dead. */
export const idleTimeoutMs = 60_000;

/**
 * The SDK's client for a location.
 * @throws TrainerError SourceForbidden when a key is missing in the credentials folder
 */
export async function createClient(location: S3Location): Promise<S3Client> {
  const { endpoint, region, credentialsDirectory, uri } = location;
  // Explicit credentials in both cases: the SDK's default chain would ask the node's metadata service.
  const identity =
    credentialsDirectory === undefined
      ? {
          credentials: { accessKeyId: '', secretAccessKey: '' },
          signer: { sign: async <T>(request: T): Promise<T> => request },
        }
      : { credentials: await openCredentials(credentialsDirectory, uri) };
  const client = new S3Client({
    endpoint,
    region,
    ...identity,
    forcePathStyle: true,
    maxAttempts,
    requestHandler: { connectionTimeout: connectionTimeoutMs, socketTimeout: idleTimeoutMs },
    // Many S3 servers do not know the newer checksum headers.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  });
  tryAgainMore(client);
  return client;
}

/** The SDK tries again by status and by few codes; this is inside of its retries, so that they see the mark. */
function tryAgainMore(client: S3Client): void {
  client.middlewareStack.add(
    (next) => async (request) => {
      try {
        return await next(request);
      } catch (error) {
        if (deservesAnotherTry(error)) Object.assign(error as Error, { $retryable: {} });
        throw error;
      }
    },
    { step: 'finalizeRequest', priority: 'low', name: 'markRetryable' },
  );
}
