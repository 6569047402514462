/** Where models and data come from and where results go: exactly one of the members. */
import * as z from 'zod';
import { objectName, relativePath, withRules } from './fields.ts';

/** Scheme and host of an S3 server. */
export const s3Endpoint = z
  .string()
  .max(512)
  .regex(/^https?:\/\/[A-Za-z0-9.-]+(:[0-9]{1,5})?$/);

const s3 = z
  .strictObject({
    endpoint: s3Endpoint.describe(
      'Address of the S3 server, scheme and host without a path, for example https://s3.eu-central-1.amazonaws.com.',
    ),
    bucket: z
      .string()
      .min(3)
      .max(63)
      .regex(/^[a-z0-9][a-z0-9.-]*[a-z0-9]$/)
      .describe('Bucket name.'),
    prefix: relativePath(
      'Folder inside the bucket, without a slash at either end. Empty means the whole bucket.',
    ).optional(),
    region: z
      .string()
      .min(1)
      .max(64)
      .regex(/^[a-z0-9-]+$/)
      .default('us-east-1')
      .describe('Region that requests are signed for.'),
    credentialsSecretRef: z
      .strictObject({ name: objectName('Name of the Secret.') })
      .optional()
      .describe(
        'Secret in the same namespace with the keys accessKeyId and secretAccessKey (and sessionToken where used). Mounted as files into the pods; without it requests are not signed.',
      ),
  })
  .describe('A folder in an S3 bucket.');

const persistentVolumeClaim = z
  .strictObject({
    claimName: objectName('Name of the claim in the same namespace.'),
    path: relativePath('Folder inside the volume. Empty means its root.').optional(),
  })
  .describe('A folder on a persistent volume.');

/** One folder somewhere: a model, a dataset, or the place for results. */
export function source(description: string) {
  return withRules(
    z
      .strictObject({ s3: s3.optional(), persistentVolumeClaim: persistentVolumeClaim.optional() })
      .describe(`${description} Exactly one of its members is set.`),
    [
      {
        rule: 'has(self.s3) != has(self.persistentVolumeClaim)',
        message: 'set exactly one of s3 and persistentVolumeClaim',
      },
    ],
  );
}

export type Source = z.infer<ReturnType<typeof source>>;
