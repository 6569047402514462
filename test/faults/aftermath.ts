/** When a fault has played out: before that nobody knows what came of it. Pure, but for the clock. */
import type { Fault } from './faults.ts';
import { watched } from './requests.ts';

/** The operator gives up a request that hangs: --api-timeout-seconds of the trials. */
export const timeoutMs = 2000;
/** A write that failed comes again after a back-off, or the second that Retry-After asks for; or not, if it is not wanted any more. */
const retryMs = 1500;

const opened = (resource: string) => `watch-${resource}`;

export class Aftermath {
  readonly #now: () => number;
  #awaited = new Set<string>();
  #until = 0;

  constructor(now = () => performance.now()) {
    this.#now = now;
  }

  /** A fault strikes now, at the request or event of that name. */
  begin(how: Fault['how'], at: string): void {
    this.#awaited = new Set(awaited(how, at));
    const hangs = how.startsWith('hang') ? timeoutMs : 0;
    // That a watch is there again has to be seen; a write need not come again.
    const isWrite = !/^(list|watch|event-of)-/.test(at) && !/^(kill|restart)/.test(how);
    this.#until = isWrite ? this.#now() + hangs + retryMs : Number.POSITIVE_INFINITY;
  }

  /** @param name of a request that the API server answered, or "released" for the end of a delay */
  answered(name: string): void {
    this.#awaited.delete(name);
  }

  get isOver(): boolean {
    return this.#awaited.size === 0 || this.#now() > this.#until;
  }
}

/** What shows that the operator is through with it. */
function awaited(how: Fault['how'], at: string): string[] {
  // A new process, or a new server: everything is watched again.
  if (/^(kill|restart)/.test(how)) return watched.map(opened);
  if (how === 'delay') return ['released'];
  const [, resource] = /^event-of-([a-z]+)-/.exec(at) ?? [];
  return [resource === undefined ? at : opened(resource)];
}
