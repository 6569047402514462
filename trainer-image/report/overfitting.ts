import { type OverfittingSign, signOfOverfitting } from '../../crds/data-checks.ts';
import { type Report, score } from './report.ts';

/** What training and validation loss say about overfitting, in a few sentences. */
export function overfittingNote({ overfitting }: Pick<Report, 'overfitting'>): string {
  if (overfitting === undefined) {
    return 'There is no validation split, so overfitting cannot be seen here: the weights of the last step are kept.';
  }
  const { trainLoss, evalLoss, lowestEvalLoss, lowestStep, bestStep, stoppedEarly } = overfitting;
  const losses = `At the end the training loss is ${score(trainLoss)} and the validation loss ${score(evalLoss)}.`;
  const rise = Math.round((evalLoss / lowestEvalLoss - 1) * 100);
  const signs: Record<OverfittingSign, string> = {
    EvalLossRose: `The validation loss was lowest at step ${lowestStep} and rose by ${rise} % afterwards: the model began to learn the training rows by heart. ${losses}`,
    TrainEvalGap: `${losses} The gap is large: more data, fewer epochs or more dropout may help.`,
  };
  const sign = signOfOverfitting(overfitting);
  const verdict = sign === undefined ? `${losses} No sign of overfitting.` : signs[sign];
  return `${verdict}${stoppedEarly ? ' Training was stopped early.' : ''} The weights of step ${bestStep} are kept.`;
}

export function isOverfitted({ overfitting }: Pick<Report, 'overfitting'>): boolean {
  return overfitting !== undefined && signOfOverfitting(overfitting) !== undefined;
}
