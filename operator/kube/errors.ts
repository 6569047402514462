/** Errors of the API server, typed by what the caller should do. */

/**
 * NotFound: the object is gone. AlreadyExists: look whose it is. Conflict: read again, decide again.
 * Gone: the resource version is too old, list again. Unauthorized: the credentials
 * are out of date, try again with new ones. Forbidden: the permissions are wrong. Invalid: the request is
 * wrong, a repeat will not help. WebhookFailed: who has to be asked about the object gave no answer, and may not for long.
 * TooManyRequests: wait `retryAfterMs`. Unavailable: try again later.
 * Aborted: the caller gave up.
 */
export type ErrorKind =
  | 'NotFound'
  | 'AlreadyExists'
  | 'Conflict'
  | 'Gone'
  | 'Unauthorized'
  | 'Forbidden'
  | 'Invalid'
  | 'WebhookFailed'
  | 'TooManyRequests'
  | 'Unavailable'
  | 'Aborted';

type Details = {
  status?: number | undefined;
  retryAfterMs?: number | undefined;
  answer?: string | undefined;
  cause?: unknown;
};

export class ApiError extends Error {
  readonly kind: ErrorKind;
  /** HTTP status; undefined = no answer came. */
  readonly status: number | undefined;
  readonly retryAfterMs: number | undefined;
  /** What the server said, as it said it; undefined = it said nothing. */
  readonly answer: string | undefined;

  constructor(kind: ErrorKind, message: string, details: Details = {}) {
    super(message, details.cause === undefined ? {} : { cause: details.cause });
    this.name = 'ApiError';
    this.kind = kind;
    this.status = details.status;
    this.retryAfterMs = details.retryAfterMs;
    this.answer = details.answer;
  }
}

/** The fields of metav1.Status that matter here. */
export type StatusBody = {
  message?: string;
  reason?: string;
  code?: number;
  details?: { retryAfterSeconds?: number };
};

/** So an API server begins to say it, for webhooks that change and that validate alike, in an answer 500 InternalError. */
const webhookFailed = /\bfailed calling webhook\b/;

function kindOf(status: number, { reason, message = '' }: StatusBody): ErrorKind {
  if (status === 404) return 'NotFound';
  if (status === 409) return reason === 'AlreadyExists' ? 'AlreadyExists' : 'Conflict';
  if (status === 410) return 'Gone';
  if (status === 401) return 'Unauthorized';
  if (status === 403) return 'Forbidden';
  if (status === 408) return 'Unavailable';
  if (status === 429) return 'TooManyRequests';
  if (status >= 400 && status < 500) return 'Invalid';
  return status === 500 && webhookFailed.test(message) ? 'WebhookFailed' : 'Unavailable';
}

/**
 * @param what the request, for the message, such as "GET /api/v1/pods"
 * @param retryAfter the header: seconds or an HTTP date
 */
export function errorOfStatus(what: string, status: number, body: StatusBody, retryAfter?: string): ApiError {
  const seconds = body.details?.retryAfterSeconds ?? secondsOf(retryAfter);
  const retryAfterMs = seconds === undefined ? undefined : Math.min(Math.max(seconds, 0), 300) * 1000;
  const message = `${what}: ${status} ${body.reason ?? ''} ${body.message ?? ''}`.replace(/\s+/g, ' ').trim();
  return new ApiError(kindOf(status, body), message, {
    status,
    retryAfterMs,
    answer: body.message || undefined,
  });
}

function secondsOf(header: string | undefined): number | undefined {
  if (header === undefined) return undefined;
  if (/^\d+$/.test(header)) return Number(header);
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : (date - Date.now()) / 1000;
}

/** Any thrown value as an ApiError; what is not one yet is a failure of the connection. */
export function asApiError(what: string, thrown: unknown): ApiError {
  if (thrown instanceof ApiError) return thrown;
  const reason = thrown instanceof Error ? thrown.message || thrown.name : String(thrown);
  return new ApiError('Unavailable', `${what}: ${reason}`, { cause: thrown });
}

export function isKind(thrown: unknown, ...kinds: ErrorKind[]): thrown is ApiError {
  return thrown instanceof ApiError && kinds.includes(thrown.kind);
}
