/** What a gate may ask for, of the whole test split and of its slices. */
import { accepted, type Case, refused } from './case.ts';

const sliced = { 'spec.dataset.slices': ['language'] };

export const gateCases: Record<string, Case> = {
  'a gate without a value': refused(
    'spec.gate',
    'set minimum or maximum, minimumGainOverBaseline, or slices',
    {
      'spec.gate': { metric: 'f1' },
    },
  ),
  'a gate without a metric': refused('spec.gate.metric', 'Required value', {
    'spec.gate': { minimum: '0.9' },
  }),
  'a gate on the gain without a baseline': refused(
    'spec.gate.minimumGainOverBaseline',
    'needs evaluation.baseline: true',
    {
      'spec.gate': { metric: 'f1', minimumGainOverBaseline: '0.01' },
      'spec.evaluation.baseline': false,
    },
  ),
  'a gate on value and gain': accepted({
    'spec.gate': { metric: 'f1', minimum: '0.9', minimumGainOverBaseline: '0' },
  }),
  'a gate on the worst slice and the gap': accepted({
    ...sliced,
    'spec.gate': { metric: 'f1', slices: { minimum: '0.8', maximumGap: '0.1' } },
  }),
  'a gate on the worst slice where less is better': accepted({
    ...sliced,
    'spec.gate': { metric: 'loss', slices: { maximum: '3.5', maximumGap: '1.5' } },
  }),
  'a gate on slices without slices': refused('spec.gate.slices', 'name their columns in dataset.slices', {
    'spec.gate': { metric: 'f1', slices: { minimum: '0.8' } },
  }),
  'a gate on slices without a value': refused('spec.gate.slices', 'set minimum or maximum, maximumGap', {
    ...sliced,
    'spec.gate': { metric: 'f1', slices: {} },
  }),
  'a minimum of slices where less is better': refused('spec.gate.slices.minimum', 'set maximum', {
    ...sliced,
    'spec.gate': { metric: 'loss', slices: { minimum: '0.8' } },
  }),
  'a maximum of slices where more is better': refused('spec.gate.slices.maximum', 'set minimum', {
    ...sliced,
    'spec.gate': { metric: 'f1', slices: { maximum: '0.8' } },
  }),
  'a gap that none can be larger than': refused('spec.gate.slices.maximumGap', 'no gap can be larger', {
    ...sliced,
    'spec.gate': { metric: 'f1', slices: { maximumGap: '1.1' } },
  }),
};
