/**
 * Asks the live trainers for their progress, each every few seconds, and passes it on to the decisions at most once per
 * status interval and job, so that progress costs the API server little.
 */
import { isDeepStrictEqual } from 'node:util';
import { Agent, buildConnector } from 'undici';
import type { Progress } from '../../crds/trainer-contract.ts';
import type { Observed } from '../decide/plan.ts';
import type { Clock } from '../kube/clock.ts';
import type { Log } from '../log.ts';
import { askProgress, type PollFailure, type PollTarget } from './progress-request.ts';
import { Queue } from './queue.ts';

type Seen = NonNullable<Observed['progress']>;
type Entry = {
  /** "namespace/name" of the job. */
  key: string;
  target: PollTarget;
  /** The connection to it, for one question after the other. One for all would keep something of each address for ever. */
  dispatcher: Agent;
  published: Seen | undefined;
  publishedAt: number;
};

type Options = {
  clock: Clock;
  log: Log;
  pollMs: number;
  /** Shortest time between two publications of one job, while so many trainers are asked. */
  publishMs: (trainers: number) => number;
  concurrency: number;
  /** Port of the trainers. */
  port?: number;
  timeoutMs?: number;
  onPoll: (result: 'ok' | PollFailure) => void;
  /** Each good answer, for metrics. */
  onAnswer: (key: string, value: Progress) => void;
  /** An answer that the decisions should see. */
  onPublish: (key: string) => void;
};

/** An answer that says nothing new is published this many intervals later, to show that the trainer still answers. */
const quietIntervals = 6;

export class Poller {
  readonly #options: Options;
  readonly #entries = new Map<string, Entry>();
  readonly #queue: Queue;
  readonly #open: () => Agent;

  constructor(options: Options) {
    this.#options = options;
    const { clock, pollMs, timeoutMs = 3000 } = options;
    this.#queue = new Queue({ clock, backoff: { baseMs: pollMs, capMs: pollMs } });
    const connect = buildConnector({ timeout: timeoutMs });
    // A question never follows a redirect, and a connection is kept for the next question to the same pod.
    this.#open = () => new Agent({ connections: 1, keepAliveTimeout: pollMs * 2, connect });
  }

  /** From now on asks this trainer for the job `jobUid`; undefined = none. */
  target(key: string, jobUid: string, target: PollTarget | undefined): void {
    const entry = this.#entries.get(jobUid);
    if (isDeepStrictEqual(entry?.target, target)) return;
    // A question that is under way ends without an answer, which nobody wants any more.
    void entry?.dispatcher.destroy();
    if (target === undefined) {
      this.#entries.delete(jobUid);
      return;
    }
    const publishedAt = entry?.publishedAt ?? Number.NEGATIVE_INFINITY;
    const dispatcher = this.#open();
    this.#entries.set(jobUid, { key, target, dispatcher, published: undefined, publishedAt });
    this.#queue.add(jobUid);
  }

  /** The last answer that was published. */
  progressOf(jobUid: string): Seen | undefined {
    return this.#entries.get(jobUid)?.published;
  }

  /** Asks until the signal fires. */
  async run(signal: AbortSignal): Promise<void> {
    signal.addEventListener('abort', () => this.#queue.stop(), { once: true });
    await Promise.all(Array.from({ length: this.#options.concurrency }, () => this.#work()));
    await Promise.all([...this.#entries.values()].map(({ dispatcher }) => dispatcher.destroy()));
  }

  async #work(): Promise<void> {
    for (let uid = await this.#queue.next(); uid !== undefined; uid = await this.#queue.next()) {
      const entry = this.#entries.get(uid);
      if (entry !== undefined) {
        await this.#ask(uid, entry);
        this.#queue.add(uid, this.#options.pollMs * (0.9 + Math.random() * 0.2));
      }
      this.#queue.done(uid);
    }
  }

  async #ask(uid: string, entry: Entry): Promise<void> {
    const { port, timeoutMs, onPoll, onAnswer, log } = this.#options;
    const answer = await askProgress(entry.target, {
      dispatcher: entry.dispatcher,
      ...(port === undefined ? {} : { port }),
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    });
    // The pod was replaced while it was asked.
    if (this.#entries.get(uid) !== entry) return;
    onPoll(answer.ok ? 'ok' : answer.why);
    if (!answer.ok) {
      log.debug('no progress from the trainer', { job: entry.key, why: answer.why, detail: answer.detail });
      return;
    }
    onAnswer(entry.key, answer.value);
    this.#publish(entry, answer.value);
  }

  #publish(entry: Entry, value: Progress): void {
    const { clock, publishMs, onPublish } = this.#options;
    const now = clock.now();
    const isNew = !isDeepStrictEqual(entry.published?.value, value);
    if (now - entry.publishedAt < publishMs(this.#entries.size) * (isNew ? 1 : quietIntervals)) return;
    entry.published = { podUid: entry.target.podUid, at: new Date(), value };
    entry.publishedAt = now;
    onPublish(entry.key);
  }
}
