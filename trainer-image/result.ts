import { writeFileSync } from 'node:fs';
import { type FailureRule, failures } from '../crds/failures.ts';
import { maxTerminationBytes, type Result, result as resultSchema } from '../crds/trainer-contract.ts';
import type { Outcome, OutcomeOf } from './messages.ts';
import { evenly } from './run/history.ts';

/** Exit code that goes with an outcome: 0 where the run ended as it should, else that of the failure category. */
export function exitCodeOf(outcome: Outcome | Result): number {
  if (outcome.outcome === 'Interrupted') return failures.Interrupted.exitCode;
  if (outcome.outcome !== 'Failed') return 0;
  const rule: FailureRule = failures[outcome.category];
  return rule.exitCode ?? failures.Internal.exitCode;
}

/** Writes the termination message, which the kubelet copies into the status of the pod. */
export function writeTerminationMessage(file: string, result: Result): void {
  writeFileSync(file, terminationMessage(result));
}

/**
 * The result as JSON of at most 4096 bytes: history is thinned first, then lists and texts are shortened.
 * What breaks the contract (a number that is not finite, say) becomes a failure that names the field.
 */
export function terminationMessage(result: Result, limit: number = maxTerminationBytes): string {
  const checked = resultSchema.safeParse(clipTexts(result));
  let fitting: Result = checked.success ? checked.data : brokenContract(result, checked.error.issues);
  for (const shorten of [(same: Result) => same, ...shortenings]) {
    fitting = shorten(fitting);
    const text = JSON.stringify(fitting);
    if (Buffer.byteLength(text) <= limit) return text;
  }
  throw new Error(
    `a result of ${Buffer.byteLength(JSON.stringify(fitting))} bytes cannot be shortened further`,
  );
}

/** The longest texts that the contract takes. */
function clipTexts(result: Result): Result {
  if (result.outcome === 'Failed') {
    return { ...result, message: clip(result.message, 2048), hint: clip(result.hint, 1024) };
  }
  return result.outcome === 'Rejected' ? { ...result, message: clip(result.message, 512) } : result;
}

function brokenContract(result: Result, issues: readonly { path: PropertyKey[]; message: string }[]): Result {
  const fields = issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; ');
  const { contractVersion, jobUid, runId, podUid } = result;
  return { contractVersion, jobUid, runId, podUid, ...internalFailure(`The result is malformed: ${fields}`) };
}

/** The outcome of an error that nobody foresaw. */
export function internalFailure(message: string): OutcomeOf<'Failed'> {
  return {
    outcome: 'Failed',
    category: 'Internal',
    message: clip(message, 2048),
    hint: 'The trainer did not expect this error; the log of the pod has the details. It is retried within spec.retry.limit.',
  };
}

/** Applied one after the other until the message fits, the least painful first. */
const shortenings: ((result: Result) => Result)[] = [
  ...[30, 20, 10, 5, 2].map((points) => (result: Result) => withHistory(result, points)),
  ...[5, 2, 1].map((count) => (result: Result) => withCheckpoints(result, count)),
  ...[8, 4, 2, 0].map((count) => (result: Result) => withPreflightLists(result, count)),
  ...[1000, 400, 150].map((length) => (result: Result) => withTexts(result, length)),
  ...[2, 1, 0].map((columns) => (result: Result) => withSlices(result, columns)),
  (result) => withCheckpoints(result, 0),
];

function withHistory(result: Result, points: number): Result {
  return 'history' in result ? { ...result, history: evenly(result.history, points) } : result;
}

function withCheckpoints(result: Result, count: number): Result {
  return 'checkpoints' in result ? { ...result, checkpoints: result.checkpoints.slice(0, count) } : result;
}

function withSlices(result: Result, columns: number): Result {
  if (result.outcome !== 'Succeeded' && result.outcome !== 'Rejected') return result;
  const { slices, ...evaluation } = result.evaluation;
  const kept = slices?.slice(0, columns) ?? [];
  return { ...result, evaluation: { ...evaluation, ...(kept.length > 0 && { slices: kept }) } };
}

function withPreflightLists(result: Result, count: number): Result {
  if (result.outcome !== 'Validated') return result;
  const { splits, warnings } = result.preflight;
  const shorter = <S extends { labels: unknown[] }>(split: S): S => ({
    ...split,
    labels: split.labels.slice(0, count),
  });
  return {
    ...result,
    preflight: {
      ...result.preflight,
      splits: {
        train: shorter(splits.train),
        ...(splits.validation && { validation: shorter(splits.validation) }),
        test: shorter(splits.test),
      },
      warnings: warnings.slice(0, Math.max(count, 2)),
    },
  };
}

function withTexts(result: Result, length: number): Result {
  if (result.outcome === 'Failed') {
    return { ...result, message: clip(result.message, length), hint: clip(result.hint, length) };
  }
  if (result.outcome === 'Validated') {
    const warnings = result.preflight.warnings.map((warning) => clip(warning, length));
    return { ...result, preflight: { ...result.preflight, warnings } };
  }
  return result.outcome === 'Rejected' ? { ...result, message: clip(result.message, length) } : result;
}

/** The first `length` UTF-16 units, never half a character, with a mark where something is missing. */
function clip(text: string, length: number): string {
  if (text.length <= length) return text;
  return `${text.slice(0, length - 1).replace(/[\uD800-\uDBFF]$/, '')}…`;
}
