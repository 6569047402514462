/** Faults at random moments, for a run that goes on: the same seed draws the same numbers in the same order. */
import {
  type EventFault,
  eventFaults,
  type OpenFault,
  openFaults,
  type Strikes,
  type WriteFault,
  writeFaults,
} from '../../test/faults/faults.ts';
import type { Random } from '../../trainer-image/data/random.ts';

/** One of so many requests or events. */
export type Rates = { writes: number; opens: number; events: number };

// The process under test is to live on.
const answers = writeFaults.filter((how) => !how.startsWith('kill'));
// A watch that goes silent is noticed after minutes, in which nothing would go on; one that was delayed is left alone afterwards.
const cuts = eventFaults.filter((how) => how !== 'silence' && how !== 'delay');

export class RandomStriker implements Strikes {
  readonly #random: Random;
  readonly #rates: Rates;
  /** How often each struck. */
  readonly struck: Record<string, number> = {};

  constructor(random: Random, rates: Rates) {
    this.#random = random;
    this.#rates = rates;
  }

  atWrite(id: string): WriteFault | undefined {
    // A lease that is not renewed in time ends the process: another one would take over.
    return id.startsWith('lease') ? undefined : this.#at('write', this.#rates.writes, answers);
  }

  atOpen(kind: 'list' | 'watch'): OpenFault | undefined {
    return this.#at(kind, this.#rates.opens, openFaults);
  }

  /** Single objects are read seldom; the plans of test/faults strike there. */
  atRead(): undefined {}

  atEvent(): EventFault | undefined {
    return this.#at('event', this.#rates.events, cuts);
  }

  #at<T extends string>(where: string, rate: number, faults: readonly T[]): T | undefined {
    if (this.#random.below(rate) > 0) return undefined;
    const how = faults[this.#random.below(faults.length)];
    const name = `${where} ${how}`;
    this.struck[name] = (this.struck[name] ?? 0) + 1;
    return how;
  }
}
