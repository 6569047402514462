/** Conditions from a verdict: the only place that knows what each type means. */
import { type ConditionType, conditionTypes } from '../../crds/conditions.ts';
import type { Condition, FineTuneJobStatus, JobPhase } from '../../crds/status.schema.ts';
import {
  overfittingCondition,
  sliceGapCondition,
  undecided,
  type ConditionValue as Value,
} from './findings.ts';
import { timestampOf } from './present.ts';
import { line } from './text.ts';
import type { Verdict } from './verdict.ts';

export type ConditionInput = {
  verdict: Verdict;
  report: FineTuneJobStatus['preflight'];
  evaluation: FineTuneJobStatus['evaluation'];
  generation: number;
  now: Date;
};

const good: readonly JobPhase[] = ['Succeeded', 'Validated'];
const bad: readonly JobPhase[] = ['Failed', 'Rejected', 'Cancelled'];

/** Every type, always; lastTransitionTime moves only when the status of the condition does. */
export function conditionsOf(input: ConditionInput, previous: readonly Condition[]): Condition[] {
  return conditionTypes.map((type) => {
    const { status, reason, message } = conditionValue(type, input);
    const before = previous.find((condition) => condition.type === type);
    return {
      type,
      status,
      observedGeneration: input.generation,
      lastTransitionTime:
        before?.status === status ? before.lastTransitionTime : (timestampOf(input.now) ?? ''),
      reason,
      // The summary has the full text; the others are bounded so that all of them stay small.
      message: line(message, type === 'Ready' ? 480 : 200),
    };
  });
}

function conditionValue(type: ConditionType, { verdict, report, evaluation }: ConditionInput): Value {
  const { phase, reason, message, running = false, stalled = false, endedAt } = verdict;
  const main = (status: boolean): Value => ({ status: status ? 'True' : 'False', reason, message });
  switch (type) {
    case 'Validated':
      return validated(verdict, report);
    case 'Running':
      return main(running);
    case 'Complete':
      return endedAt === undefined ? undecided : main(phase === 'Succeeded');
    case 'Failed':
      return endedAt === undefined ? undecided : main(phase === 'Failed' || phase === 'Cancelled');
    case 'Rejected':
      if (endedAt === undefined) return undecided;
      return phase === 'Rejected' || phase === 'Succeeded' ? main(phase === 'Rejected') : notApplicable;
    case 'Suspended':
      return main(phase === 'Suspended' || phase === 'Queued');
    case 'Overfitting':
      return overfittingCondition(evaluation, endedAt !== undefined);
    case 'SliceGapGrown':
      return sliceGapCondition(evaluation, endedAt !== undefined);
    case 'Ready':
      return main(good.includes(phase));
    case 'Reconciling':
      return main(endedAt === undefined && !stalled);
    case 'Stalled':
      return main(stalled || bad.includes(phase));
  }
}

const notApplicable: Value = {
  status: 'False',
  reason: 'NotApplicable',
  message: 'The run ended before the gate.',
};

function validated({ phase, reason, message }: Verdict, report: FineTuneJobStatus['preflight']): Value {
  if (report !== undefined) {
    return { status: 'True', reason: 'PreflightPassed', message: preflightSummary(report) };
  }
  return { status: phase === 'Failed' ? 'False' : 'Unknown', reason, message };
}

export function preflightSummary(report: NonNullable<FineTuneJobStatus['preflight']>): string {
  const { splits, labels, totalSteps, warnings } = report;
  const rows = `${splits.train.rows} rows to train on, ${splits.test.rows} to test on, ${labels} labels`;
  const plan = `${totalSteps} steps`;
  return warnings.length === 0 ? `${rows}; ${plan}.` : `${rows}; ${plan}; ${warnings.length} warnings.`;
}

/** Ready carries the reason of the verdict. */
export function mainReason({ conditions }: FineTuneJobStatus): string | undefined {
  return conditions?.find(({ type }) => type === 'Ready')?.reason;
}
