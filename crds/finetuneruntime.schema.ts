/** FineTuneRuntime: what the platform team offers. Source of the CRD, the types and the field reference. */
import * as z from 'zod';
import { cpuQuantity, decimal, memoryQuantity, objectName, withRules } from './fields.ts';
import { s3Endpoint } from './source.schema.ts';

const labelValue = z
  .string()
  .max(63)
  .regex(/^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$/);
const qualifiedName = z
  .string()
  .max(253)
  .regex(/^([a-z0-9]([-a-z0-9.]*[a-z0-9])?\/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/);

const namespaceName = z
  .string()
  .min(1)
  .max(63)
  .regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/);

const podResources = (cpu: string, memory: string) =>
  z
    .strictObject({
      cpu: cpuQuantity('CPU request; also the largest that a job may ask for.').default(cpu),
      memory: memoryQuantity('Memory request and limit; also the largest that a job may ask for.').default(
        memory,
      ),
    })
    .prefault({});

export const fineTuneRuntimeSpec = z
  .strictObject({
    image: z
      .string()
      .min(1)
      .max(512)
      .regex(/^[A-Za-z0-9][A-Za-z0-9._:/@-]*$/)
      .describe('Trainer image, best by digest.'),
    imagePullPolicy: z
      .enum(['Always', 'IfNotPresent', 'Never'])
      .default('IfNotPresent')
      .describe('When the image is pulled.'),
    imagePullSecrets: z
      .array(z.strictObject({ name: objectName('Name of the Secret in the namespace of the job.') }))
      .max(8)
      .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] })
      .optional()
      .describe('Secrets for pulling the image.'),
    accelerator: withRules(
      z
        .strictObject({
          resourceName: qualifiedName
            .default('nvidia.com/gpu')
            .describe(
              'Extended resource that a job requests, for example nvidia.com/gpu or nvidia.com/mig-1g.10gb.',
            ),
          whenUnusable: z
            .enum(['Fail', 'UseCPU'])
            .default('Fail')
            .describe(
              'What the trainer does when it was given an accelerator and cannot use it. UseCPU is meant for machines that only pretend to have one.',
            ),
          pricePerHour: decimal(
            'Price of one accelerator for an hour. A run keeps the price it started with.',
            {
              above: 0,
              atMost: 1e6,
            },
          ).optional(),
          currency: z
            .string()
            .min(1)
            .max(16)
            .regex(/^[A-Za-z]([-A-Za-z0-9]*[A-Za-z0-9])?$/)
            .optional()
            .describe('What the price is in, for people, for example EUR.'),
        })
        .prefault({})
        .describe('The accelerator of this runtime.'),
      [
        {
          rule: '!has(self.currency) || has(self.pricePerHour)',
          message: 'a currency needs a pricePerHour',
          fieldPath: '.currency',
        },
      ],
    ),
    trainer: podResources('2', '8Gi').describe('Resources of the trainer pod.'),
    preflight: podResources('1', '2Gi').describe(
      'Resources of the preflight pod, which never gets an accelerator.',
    ),
    workVolume: memoryQuantity(
      'Limit of what a pod may write to the disk of its node: a model from a bucket, data, encoded rows and checkpoints on their way. Preflight refuses a run that needs more.',
    ).default('64Gi'),
    nodeSelector: z
      .record(qualifiedName, labelValue)
      .meta({ maxProperties: 32 })
      .optional()
      .describe(
        'Labels of the nodes that may run trainers, and preflight where the job names a persistentVolumeClaim.',
      ),
    tolerations: z
      .array(
        withRules(
          z.strictObject({
            key: qualifiedName.optional().describe('Taint key; empty matches all.'),
            operator: z.enum(['Exists', 'Equal']).default('Equal').describe('How the value is compared.'),
            value: labelValue.optional().describe('Taint value.'),
            effect: z
              .enum(['NoSchedule', 'PreferNoSchedule', 'NoExecute'])
              .optional()
              .describe('Effect; empty matches all.'),
          }),
          [
            {
              rule: "has(self.key) || self.operator == 'Exists'",
              message: 'without a key the operator must be Exists',
              fieldPath: '.key',
            },
            {
              rule: "!has(self.value) || self.operator == 'Equal'",
              message: 'a value needs the operator Equal',
              fieldPath: '.value',
            },
          ],
        ),
      )
      .max(16)
      .meta({ 'x-kubernetes-list-type': 'atomic' })
      .optional()
      .describe(
        'Taints that the trainer pod tolerates, and the preflight pod where the job names a persistentVolumeClaim.',
      ),
    runtimeClassName: objectName('RuntimeClass of the trainer pod, for example nvidia.').optional(),
    queueName: labelValue
      .optional()
      .describe(
        'Queue for the train Job: set as the label kueue.x-k8s.io/queue-name, and the Job starts suspended. A FineTuneJob with this label names its own queue; kueue.x-k8s.io/priority-class is handed over too.',
      ),
    allowedNamespaces: z
      .array(namespaceName)
      .max(256)
      .meta({ 'x-kubernetes-list-type': 'set' })
      .optional()
      .describe('Namespaces that may use this runtime. Without it, all may.'),
    allowedEndpoints: z
      .array(s3Endpoint)
      .max(64)
      .meta({ 'x-kubernetes-list-type': 'set' })
      .optional()
      .describe('S3 endpoints that jobs may read from and write to. Without it, all are allowed.'),
    terminationGracePeriodSeconds: z
      .int32()
      .min(10)
      .max(3600)
      .default(120)
      .describe('Time that a trainer gets to save a checkpoint when it is stopped.'),
  })
  .describe('What jobs that name this runtime get. A job can only narrow it.');

export const fineTuneRuntime = z
  .object({ spec: fineTuneRuntimeSpec })
  .describe(
    'FineTuneRuntime is an offer of the platform team: image, accelerator, limits and allowed sources.',
  );

/** Spec with every default filled in, as the API server stores it. */
export type FineTuneRuntimeSpec = z.output<typeof fineTuneRuntimeSpec>;
