import { meanLoss } from '../run/history.ts';
import { type Report, score } from './report.ts';

/** A rise of the validation loss by less than this part is noise. */
const notableRise = 0.05;
const notableRatio = 1.5;

/** What training and validation loss say about overfitting, in a few sentences. */
export function overfittingNote(report: Pick<Report, 'stepLosses' | 'validation' | 'training'>): string {
  const { stepLosses, validation, training } = report;
  const last = validation.at(-1);
  if (last === undefined) {
    return 'There is no validation split, so overfitting cannot be seen here: the weights of the last step are kept.';
  }
  const best = validation.reduce((a, b) => (b.loss < a.loss ? b : a));
  const train = meanLoss(stepLosses.slice(-10).map((loss) => ({ loss })));
  const gap = `At the end the training loss is ${score(train)} and the validation loss ${score(last.loss)}.`;
  const kept = training.best === undefined ? '' : ` The weights of step ${training.best.step} are kept.`;
  const stopped = training.stoppedEarly ? ' Training was stopped early.' : '';
  if (last.loss > best.loss * (1 + notableRise)) {
    const rise = Math.round((last.loss / best.loss - 1) * 100);
    return `The validation loss was lowest at step ${best.step} and rose by ${rise} % afterwards: the model began to learn the training rows by heart.${stopped} ${gap}${kept}`;
  }
  if (last.loss > train * notableRatio && last.loss - train > 0.1) {
    return `${gap} The gap is large: more data, fewer epochs or more dropout may help.${stopped}${kept}`;
  }
  return `${gap} No sign of overfitting.${stopped}${kept}`;
}
