/** Ends one request: when its caller gives up, or when it takes too long. */
import { ApiError, asApiError } from './errors.ts';

/** Why a signal of a guard fires is told by `explain`. Made once: an error for each request costs more than its abort. */
const over = new Error('the request is over');

/** One abort signal out of the caller's signal and a time-out that can be restarted. */
export class Guard {
  readonly what: string;
  readonly #caller: AbortSignal;
  readonly #controller = new AbortController();
  readonly #onAbort = () => this.#controller.abort(over);
  #timer: NodeJS.Timeout;
  #expired: string | undefined;

  constructor(what: string, caller: AbortSignal, timeoutMs: number) {
    this.what = what;
    this.#caller = caller;
    if (caller.aborted) this.#controller.abort(over);
    caller.addEventListener('abort', this.#onAbort, { once: true });
    this.#timer = this.#start(timeoutMs, `no answer within ${timeoutMs} ms`);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  restart(ms: number, reason: string): void {
    clearTimeout(this.#timer);
    this.#timer = this.#start(ms, reason);
  }

  /** What the work comes to, or an error as soon as this guard ends: for work that takes no signal. */
  async unlessEnded<T>(work: Promise<T>): Promise<T> {
    const { promise, reject } = Promise.withResolvers<never>();
    const end = () => reject(this.signal.reason);
    if (this.signal.aborted) end();
    this.signal.addEventListener('abort', end, { once: true });
    try {
      return await Promise.race([work, promise]);
    } finally {
      this.signal.removeEventListener('abort', end);
    }
  }

  /** Why the request failed, in the words of this guard where it ended it. */
  explain(cause: unknown): ApiError {
    if (this.#expired !== undefined) return new ApiError('Unavailable', `${this.what}: ${this.#expired}`);
    if (this.#caller.aborted) return new ApiError('Aborted', `${this.what}: given up`);
    return asApiError(this.what, cause);
  }

  /** Also ends a body that was not read to its end. */
  end(): void {
    clearTimeout(this.#timer);
    this.#caller.removeEventListener('abort', this.#onAbort);
    this.#controller.abort(over);
  }

  #start(ms: number, reason: string): NodeJS.Timeout {
    return setTimeout(() => {
      this.#expired = reason;
      this.#controller.abort(over);
    }, ms);
  }
}
