/** FineTuneRuntimes that the API server accepts and refuses. */
import { accepted, type Case, pattern, refused } from './case.ts';

const toleration = (fields: object) => ({ 'spec.tolerations': [fields] });

export const runtimeCases: Record<string, Case> = {
  'the smallest runtime': accepted({}),
  'no image': refused('spec.image', 'Required value', { 'spec.image': undefined }),
  'an image with a space': refused('spec.image', pattern, { 'spec.image': 'trainer :1' }),
  'an image by digest': accepted({ 'spec.image': `r.example.com:5000/a/b@sha256:${'0'.repeat(64)}` }),
  'a MIG slice': accepted({ 'spec.accelerator.resourceName': 'nvidia.com/mig-1g.10gb' }),
  'an accelerator with a wrong name': refused('spec.accelerator.resourceName', pattern, {
    'spec.accelerator.resourceName': 'nvidia.com/',
  }),
  'another answer to an unusable accelerator': refused('spec.accelerator.whenUnusable', 'Unsupported value', {
    'spec.accelerator.whenUnusable': 'Ignore',
  }),
  'node labels': accepted({ 'spec.nodeSelector': { 'kubernetes.io/arch': 'amd64', pool: '' } }),
  'a node label with a wrong key': refused('spec.nodeSelector', 'a key must match', {
    'spec.nodeSelector': { 'a key': 'x' },
  }),
  'a node label with a long key': refused('spec.nodeSelector', 'a key has at most 253 characters', {
    'spec.nodeSelector': { ['k'.repeat(254)]: 'x' },
  }),
  'a node label with a wrong value': refused('spec.nodeSelector.pool', pattern, {
    'spec.nodeSelector': { pool: 'a b' },
  }),
  '33 node labels': refused('spec.nodeSelector', 'must have at most 32 items', {
    'spec.nodeSelector': Object.fromEntries(Array.from({ length: 33 }, (_, i) => [`label-${i}`, 'x'])),
  }),
  'a toleration for everything': accepted(toleration({ operator: 'Exists' })),
  'a toleration without a key': refused(
    'spec.tolerations[0].key',
    'the operator must be Exists',
    toleration({}),
  ),
  'a toleration with a useless value': refused(
    'spec.tolerations[0].value',
    'a value needs the operator Equal',
    toleration({ key: 'gpu', operator: 'Exists', value: 'x' }),
  ),
  'a pull secret twice': refused('spec.imagePullSecrets[1]', 'Duplicate value', {
    'spec.imagePullSecrets': [{ name: 'a' }, { name: 'a' }],
  }),
  'a namespace twice': refused('spec.allowedNamespaces[1]', 'Duplicate value', {
    'spec.allowedNamespaces': ['team-a', 'team-a'],
  }),
  'a namespace in upper case': refused('spec.allowedNamespaces[0]', pattern, {
    'spec.allowedNamespaces': ['Team-A'],
  }),
  'an endpoint without a scheme': refused('spec.allowedEndpoints[0]', pattern, {
    'spec.allowedEndpoints': ['s3.example.com'],
  }),
  'too little grace to save a checkpoint': refused(
    'spec.terminationGracePeriodSeconds',
    'greater than or equal to 10',
    { 'spec.terminationGracePeriodSeconds': 5 },
  ),
  'a price': accepted({ 'spec.accelerator': { pricePerHour: '2.5', currency: 'EUR' } }),
  'an accelerator for nothing': refused('spec.accelerator.pricePerHour', 'must be greater than 0', {
    'spec.accelerator': { pricePerHour: '0' },
  }),
  'a price with its currency': refused('spec.accelerator.pricePerHour', pattern, {
    'spec.accelerator': { pricePerHour: '2.5 EUR' },
  }),
  'a price beyond all sense': refused('spec.accelerator.pricePerHour', 'must be at most 1000000', {
    'spec.accelerator': { pricePerHour: '1e7' },
  }),
  'a currency that is no word': refused('spec.accelerator.currency', pattern, {
    'spec.accelerator': { pricePerHour: '1', currency: '<b>' },
  }),
  'a currency without a price': refused('spec.accelerator.currency', 'a currency needs a pricePerHour', {
    'spec.accelerator': { currency: 'EUR' },
  }),
  'memory without a unit': refused('spec.trainer.memory', 'without a unit', { 'spec.trainer.memory': '8' }),
};
