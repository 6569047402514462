import { TrainerError } from '../failure.ts';

/** What was tried when a request failed, and where. */
export type S3Attempt = {
  action: string;
  endpoint: string;
  bucket: string;
  region: string;
  key?: string | undefined;
  signed: boolean;
};

const wrongRegion = new Set([
  'PermanentRedirect',
  'AuthorizationHeaderMalformed',
  'IllegalLocationConstraintException',
]);
/** Some servers say 404 for a user they do not know. */
const refusedCode =
  /^(AccessDenied|InvalidAccessKeyId|SignatureDoesNotMatch|\w*UserNotFound|\w*InvalidToken|ExpiredToken)$/;
/** Of the server's moment, not of the request, whatever the status: it was slow, busy, or lost a part of what was sent. */
const passingCode =
  /^(RequestTimeout|IncompleteBody|Throttling|ThrottlingException|SlowDown|OperationAborted|NoSuchUpload)$/;
/** Each try reads the keys anew, and they may have been replaced meanwhile. */
const endedSession = /^(ExpiredToken|InvalidToken)$/;
const tlsCode = /^(ERR_TLS_|ERR_SSL_|CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|EPROTO)/;

type SdkError = Error & {
  code?: string;
  Code?: string;
  $metadata?: { httpStatusCode?: number; attempts?: number };
  $response?: { statusCode?: number };
};

/** Whether the same request may be answered otherwise a moment later; an upload that is gone stays so. */
export function deservesAnotherTry(error: unknown): boolean {
  const code = codeOf(error as SdkError);
  return endedSession.test(code) || (passingCode.test(code) && code !== 'NoSuchUpload');
}

function codeOf(failure: SdkError): string {
  return failure.Code ?? failure.code ?? failure.name;
}

/** Turns any error of the S3 client into one with a category, the place, and what to do. */
export function s3Failure(error: unknown, attempt: S3Attempt): TrainerError {
  if (error instanceof TrainerError) return error;
  const { endpoint, bucket, key } = attempt;
  const place = `${key === undefined ? `bucket "${bucket}"` : `"${key}" in bucket "${bucket}"`} at ${endpoint}`;
  const failure = error as SdkError;
  const status = failure.$metadata?.httpStatusCode ?? failure.$response?.statusCode;
  const code = codeOf(failure);
  const answer = status === undefined ? code : `${status} ${code}`;
  const make = (category: TrainerError['category'], message: string, hint: string) =>
    new TrainerError(category, message, hint, { cause: error });
  const unavailable = () => {
    const tries = failure.$metadata?.attempts;
    return make(
      'SourceUnavailable',
      `Cannot ${attempt.action} ${place}: ${answer}${tries === undefined ? '' : ` after ${tries} tries`}.`,
      'Check that the endpoint is right and the server can be reached from the pod; the run is tried again within spec.retry.limit.',
    );
  };

  if (passingCode.test(code)) return unavailable();
  if (code === 'NoSuchBucket') {
    return make(
      'SourceNotFound',
      `There is no bucket "${bucket}" at ${endpoint}.`,
      'Correct the bucket or the endpoint, or create the bucket.',
    );
  }
  if (wrongRegion.has(code) || status === 301) {
    return make(
      'ConfigError',
      `Cannot ${attempt.action} ${place}: the bucket is not in region "${attempt.region}" (${answer}).`,
      'Set region (and the endpoint that belongs to it) to where the bucket is.',
    );
  }
  if (status === 401 || status === 403 || refusedCode.test(code)) {
    return make(
      'SourceForbidden',
      `Cannot ${attempt.action} ${place}: the server refused ${attempt.signed ? 'the credentials' : 'the unsigned request'} (${answer}).`,
      attempt.signed
        ? 'Check accessKeyId and secretAccessKey (and sessionToken, which expires) in the Secret and what they are allowed to do; some servers also answer so for files that do not exist.'
        : 'Set credentialsSecretRef, or allow public access to the bucket.',
    );
  }
  if (status === 404) {
    return make(
      'SourceNotFound',
      `Cannot ${attempt.action} ${place}: it does not exist (${answer}).`,
      'Correct the bucket, the prefix or the file name, or upload the file.',
    );
  }
  if (status === 412) {
    return make(
      'SourceUnavailable',
      `Cannot ${attempt.action} ${place}: it changed while it was read.`,
      'Leave the files alone while a job reads them; the run is tried again within spec.retry.limit.',
    );
  }
  if (tlsCode.test(code)) {
    return make(
      'ConfigError',
      `Cannot ${attempt.action} ${place}: no trusted TLS connection (${code}).`,
      'Check whether the endpoint is http or https, and its certificate.',
    );
  }
  if (status !== undefined && status >= 400 && status < 500 && status !== 408 && status !== 429) {
    return make(
      'ConfigError',
      `Cannot ${attempt.action} ${place}: the server does not accept the request (${answer}).`,
      'Check endpoint, bucket, prefix and region.',
    );
  }
  return unavailable();
}
