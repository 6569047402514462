/** What was asked for and what became of it: every job of a soak reaches an end that it may have, and leaves nothing behind. */
import type { KubernetesObject } from '@kubernetes/client-node';
import type { FineTuneJob } from '../../operator/decide/plan.ts';
import { labels } from '../../operator/manifests/names.ts';
import { violationsOf } from '../../test/faults/invariants.ts';
import type { Sighting as FaultSighting } from '../../test/faults/witness.ts';
import type { Sighting } from '../operator/witness.ts';

export type Expectation = {
  /** Phases in which a run may end; empty = its FineTuneJob may be deleted before. */
  ends: readonly string[];
  /** Runs that have to end. */
  runs: number;
};

type Entry = Expectation & {
  name: string;
  phases: string[];
  /** Of runs that have ended. */
  ended: Set<string>;
  gone: boolean;
  children: Set<string>;
  history: FaultSighting[];
};

/** The watches of kinds are not in step: the last word about a job is in so much later. */
const settleMs = 2000;

export class Book {
  readonly #expected = new Map<string, Expectation>();
  /** By UID of the FineTuneJob. */
  readonly #entries = new Map<string, Entry>();
  readonly #waiters = new Map<string, () => void>();
  readonly problems: string[] = [];
  /** Ends by phase; "Deleted" = the FineTuneJob was deleted before. */
  readonly ends: Record<string, number> = {};
  created = 0;
  closed = 0;

  /** Before its creation is asked for. */
  expect(name: string, expectation: Expectation): void {
    this.#expected.set(name, expectation);
    this.created++;
  }

  /** Resolves when a run of the job has ended, or the job is gone. */
  ended(name: string): Promise<void> {
    return new Promise((resolve) => this.#waiters.set(name, resolve));
  }

  see({ type, object }: Sighting<KubernetesObject>): void {
    const { metadata, kind } = object;
    const uid = kind === 'FineTuneJob' ? metadata?.uid : metadata?.labels?.[labels.jobUid];
    const entry = this.#entryOf(uid ?? '', object);
    if (entry === undefined) return;
    entry.history.push({ type: type as FaultSighting['type'], object });
    if (kind === 'FineTuneJob') this.#seeJob(entry, type, object as FineTuneJob);
    else if (type === 'DELETED') entry.children.delete(metadata?.uid ?? '');
    else entry.children.add(metadata?.uid ?? '');
    if (entry.gone && entry.children.size === 0) setTimeout(() => this.#close(uid!, entry), settleMs);
  }

  /** What is left of jobs whose end is not in yet. */
  get open(): string[] {
    const describe = ({ name, phases, gone, children }: Entry) =>
      `${name}: ${phases.join(', ') || 'not ended'}, ${gone ? 'deleted' : 'there'}, ${children.size} children`;
    return [
      ...[...this.#expected.keys()].map((name) => `${name}: never seen`),
      ...[...this.#entries.values()].map(describe),
    ];
  }

  /** A child may be seen before its job. */
  #entryOf(uid: string, { kind, metadata }: KubernetesObject): Entry | undefined {
    const known = this.#entries.get(uid);
    const name = (kind === 'FineTuneJob' ? metadata?.name : metadata?.labels?.[labels.job]) ?? '';
    const expectation = this.#expected.get(name);
    if (known !== undefined || expectation === undefined) return known;
    this.#expected.delete(name);
    const entry: Entry = {
      ...expectation,
      name,
      phases: [],
      ended: new Set(),
      gone: false,
      children: new Set(),
      history: [],
    };
    this.#entries.set(uid, entry);
    return entry;
  }

  #seeJob(entry: Entry, type: string, { status }: FineTuneJob): void {
    const { completionTime, runId = '', phase = '' } = status ?? {};
    if (completionTime !== undefined && !entry.ended.has(runId)) {
      entry.ended.add(runId);
      entry.phases.push(phase);
    }
    if (type === 'DELETED') entry.gone = true;
    if (!entry.gone && entry.ended.size === 0) return;
    this.#waiters.get(entry.name)?.();
    this.#waiters.delete(entry.name);
  }

  #close(uid: string, entry: Entry): void {
    // A child may have come in the meantime; and two sightings may have asked for this.
    if (entry.children.size > 0 || !this.#entries.delete(uid)) return;
    this.closed++;
    const { name, ends, runs, phases, history } = entry;
    for (const phase of phases.length === 0 ? ['Deleted'] : phases)
      this.ends[phase] = (this.ends[phase] ?? 0) + 1;
    const mayBeDeleted = ends.length === 0;
    if (!mayBeDeleted && (phases.length !== runs || phases.some((phase) => !ends.includes(phase))))
      this.problems.push(
        `${name}: ended as [${phases.join(', ')}], not ${runs} times as one of ${ends.join(', ')}`,
      );
    this.problems.push(...violationsOf(history).map((what) => `${name}: ${what}`));
  }
}
