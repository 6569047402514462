/** What can go wrong between operator and API server, and the one place of a run at which it does. */
import type { Watched } from './requests.ts';

/** At a write. `kill` = SIGKILL of the operator; `committed` = the API server has stored what the operator never hears of. */
export const writeFaults = [
  'kill-before',
  'kill-unanswered',
  'kill-after',
  /** Killed after the write; the next process lists everything as it was before the write, and catches up a second later. */
  'kill-stale',
  '409',
  '429',
  '500',
  '503',
  'reset',
  'reset-committed',
  'hang',
  'hang-committed',
  'half',
  'close',
] as const;
export type WriteFault = (typeof writeFaults)[number];

/** In place of an event of a watch. */
export const eventFaults = [
  /** Events are held for a second and come in order. */
  'delay',
  /** Events of a second are never seen: the watch ends with 410 and the list shows what became of them. */
  'window',
  'reset',
  'half-line',
  'close',
  'gone',
  'error',
  /** Nothing comes any more, and nothing says so. */
  'silence',
] as const;
export type EventFault = (typeof eventFaults)[number];

/** In place of the answer to a list or to the opening of a watch. */
export const openFaults = ['410', '429', '500', '503', 'reset', 'hang', 'half', 'close'] as const;
export type OpenFault = (typeof openFaults)[number];

/** In place of the answer to a read of one object. */
export const readFaults = ['429', '500', '503', 'reset', 'hang', 'half', 'close'] as const;
export type ReadFault = (typeof readFaults)[number];

/** At a write, for all clients of the API server. */
export const serverFaults = ['restart', 'restart-compacted'] as const;
export type ServerFault = (typeof serverFaults)[number];

export type Fault = {
  how: WriteFault | EventFault | OpenFault | ReadFault | ServerFault | 'none';
  /** Name of the request: id of a write, or "list-", "watch-" or "read-" and the resource; or of the event. */
  at: string;
  /** 1 = the first request of that name in the run. */
  nth: number;
};

export const noFault: Fault = { how: 'none', at: 'nothing', nth: 0 };

/** Asked at each request and event which fault strikes there; undefined = none. */
export type Strikes = {
  atWrite(id: string): WriteFault | ServerFault | undefined;
  atOpen(kind: 'list' | 'watch', resource: Watched): OpenFault | undefined;
  atRead(id: string): ReadFault | undefined;
  /** @param name "event-of-", the resource and what the event tells */
  atEvent(name: string): EventFault | undefined;
};

/** Counts the requests of a run by name, over all its processes, and strikes once. */
export class Striker implements Strikes {
  readonly fault: Fault;
  readonly #counts = new Map<string, number>();
  /** Names in order, "name.nth". */
  readonly seen: string[] = [];
  fired = false;
  /** Called when the fault strikes. */
  onStrike: () => void = () => {};

  constructor(fault: Fault) {
    this.fault = fault;
  }

  atWrite(id: string): WriteFault | ServerFault | undefined {
    return this.#at(id) as WriteFault | ServerFault | undefined;
  }

  atOpen(kind: 'list' | 'watch', resource: Watched): OpenFault | undefined {
    return this.#at(`${kind}-${resource}`) as OpenFault | undefined;
  }

  atRead(id: string): ReadFault | undefined {
    return this.#at(id) as ReadFault | undefined;
  }

  atEvent(name: string): EventFault | undefined {
    return this.#at(name) as EventFault | undefined;
  }

  #at(name: string): Fault['how'] | undefined {
    const nth = (this.#counts.get(name) ?? 0) + 1;
    this.#counts.set(name, nth);
    this.seen.push(`${name}.${nth}`);
    const { at, how } = this.fault;
    if (at !== name || this.fault.nth !== nth) return undefined;
    this.fired = true;
    this.onStrike();
    return how;
  }
}
