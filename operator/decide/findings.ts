/** Conditions about the tuned model itself: what a person should look at although the run ended well. */
import type { Reason } from '../../crds/conditions.ts';
import { resultChecks, signOfOverfitting } from '../../crds/data-checks.ts';
import type { Condition, FineTuneJobStatus } from '../../crds/status.schema.ts';

export type ConditionValue = { status: Condition['status']; reason: Reason; message: string };

type Evaluation = FineTuneJobStatus['evaluation'];

export const undecided: ConditionValue = {
  status: 'Unknown',
  reason: 'Waiting',
  message: 'The run has not ended.',
};

function notMeasured(ended: boolean, message: string): ConditionValue {
  return ended ? { status: 'Unknown', reason: 'NotMeasured', message } : undecided;
}

export function overfittingCondition(evaluation: Evaluation, ended: boolean): ConditionValue {
  const losses = evaluation?.overfitting;
  if (losses === undefined)
    return notMeasured(ended, 'There is no validation split, or no evaluation on it.');
  const { trainLoss, evalLoss, lowestEvalLoss, lowestStep, bestStep } = losses;
  const sign = signOfOverfitting({
    trainLoss: Number(trainLoss),
    evalLoss: Number(evalLoss),
    lowestEvalLoss: Number(lowestEvalLoss),
  });
  const kept = `the weights of step ${bestStep} are kept`;
  if (sign === undefined) {
    const message = `Training loss ${trainLoss}, validation loss ${evalLoss}; ${kept}.`;
    return { status: 'False', reason: 'NoOverfitting', message };
  }
  const messages: Record<typeof sign, string> = {
    EvalLossRose: `The validation loss was ${lowestEvalLoss} at step ${lowestStep} and is ${evalLoss} at the end; ${kept}.`,
    TrainEvalGap: `The training loss is ${trainLoss}, the validation loss ${evalLoss}; ${kept}.`,
  };
  return { status: 'True', reason: sign, message: messages[sign] };
}

export function sliceGapCondition(evaluation: Evaluation, ended: boolean): ConditionValue {
  const compared = (evaluation?.slices ?? []).filter(({ growth }) => growth !== undefined);
  if (compared.length === 0)
    return notMeasured(ended, 'There are no slices with enough rows, or the base model was not evaluated.');
  const grown = compared.filter(({ growth }) => Number(growth?.low) > resultChecks.sliceGapGrowth.threshold);
  const [first] = grown.sort((a, b) => Number(b.growth?.value) - Number(a.growth?.value));
  if (first === undefined) {
    const message = `In none of ${compared.map(({ column }) => column).join(', ')} did the gap grow by more than chance.`;
    return { status: 'False', reason: 'SliceGapSteady', message };
  }
  const { column, gap, worst } = first;
  const message = `${evaluation?.primary?.metric} by ${column}: the gap is ${gap?.final}, that of the base model ${gap?.baseline}; worst is ${worst?.slice} with ${worst?.final}.`;
  return { status: 'True', reason: 'SliceGapGrew', message };
}
