import type { Location } from '../../crds/trainer-contract.ts';
import { openS3 } from './s3.ts';
import type { Source } from './source.ts';
import { openVolume } from './volume.ts';

/**
 * Opens a location of the run config.
 * @throws TrainerError SourceForbidden when a key is missing in the credentials folder, SourceNotFound when the
 * folder of a volume is not there. S3 is not contacted before the first use.
 */
export async function openSource(location: Location): Promise<Source> {
  return location.kind === 's3' ? openS3(location) : openVolume(location);
}
