/** The mistakes of a classifier: how sure it was of what it said. */
export const confidentMistakes = {
  caption: 'Errors of the tuned model, the most confident first. Some may be wrong labels.',
  severity: 'probability',
};
