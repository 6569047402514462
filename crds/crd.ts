/** The two CustomResourceDefinitions: everything around the schema, and the columns of `kubectl get`. */
import type * as z from 'zod';
import { fineTuneJob } from './finetunejob.schema.ts';
import { fineTuneRuntime } from './finetuneruntime.schema.ts';
import { toStructuralSchema } from './structural-schema.ts';
import { type StructuralSchema, UnsupportedSchema } from './structural-type.ts';

export const group = 'finetune.dev';
export const version = 'v1alpha1';

type Column = {
  name: string;
  type: 'string' | 'integer' | 'date';
  jsonPath: string;
  description: string;
  /** 1 = only with `-o wide`. */
  priority?: 1;
};

export type Resource = {
  kind: string;
  plural: string;
  singular: string;
  shortName: string;
  scope: 'Namespaced' | 'Cluster';
  schema: z.core.$ZodType;
  columns: readonly Column[];
};

export const jobResource: Resource = {
  kind: 'FineTuneJob',
  plural: 'finetunejobs',
  singular: 'finetunejob',
  shortName: 'ftj',
  scope: 'Namespaced',
  schema: fineTuneJob,
  columns: [
    { name: 'Task', type: 'string', jsonPath: '.spec.task', description: 'What the model learns.' },
    { name: 'Phase', type: 'string', jsonPath: '.status.phase', description: 'Where the job stands.' },
    {
      name: 'Progress',
      type: 'string',
      jsonPath: '.status.progress.done',
      description: 'Part of the planned steps done, in percent.',
    },
    {
      name: 'Loss',
      type: 'string',
      jsonPath: '.status.progress.trainLoss',
      description: 'Training loss, mean of the last steps.',
    },
    {
      name: 'Eval',
      type: 'string',
      jsonPath: '.status.progress.evalLoss',
      description: 'Loss on the validation split.',
    },
    {
      name: 'ETA',
      type: 'string',
      jsonPath: '.status.progress.eta',
      description: 'Estimated time to the end.',
    },
    {
      name: 'Age',
      type: 'date',
      jsonPath: '.metadata.creationTimestamp',
      description: 'Time since the job was created.',
    },
    {
      name: 'Metric',
      type: 'string',
      jsonPath: '.status.evaluation.primary.metric',
      description:
        'What base and tuned model are compared by: the metric of the gate, else the main one of the task.',
      priority: 1,
    },
    {
      name: 'Base',
      type: 'string',
      jsonPath: '.status.evaluation.primary.baseline',
      description: 'That metric of the base model on the test split.',
      priority: 1,
    },
    {
      name: 'Final',
      type: 'string',
      jsonPath: '.status.evaluation.primary.final',
      description: 'That metric of the tuned model on the test split.',
      priority: 1,
    },
    {
      name: 'Gain',
      type: 'string',
      jsonPath: '.status.evaluation.gain.value',
      description: 'Gain over the base model on the same rows.',
      priority: 1,
    },
    {
      name: 'Device',
      type: 'string',
      jsonPath: '.status.device',
      description: 'Device that the trainer used.',
      priority: 1,
    },
    {
      name: 'Cost',
      type: 'string',
      jsonPath: '.status.usage.cost',
      description: 'Cost of the accelerators so far, at the price of the runtime.',
      priority: 1,
    },
    {
      name: 'Attempts',
      type: 'integer',
      jsonPath: '.status.usage.attempts',
      description: 'Pods started for training.',
      priority: 1,
    },
  ],
};

export const runtimeResource: Resource = {
  kind: 'FineTuneRuntime',
  plural: 'finetuneruntimes',
  singular: 'finetuneruntime',
  shortName: 'ftr',
  scope: 'Cluster',
  schema: fineTuneRuntime,
  columns: [
    {
      name: 'Accelerator',
      type: 'string',
      jsonPath: '.spec.accelerator.resourceName',
      description: 'Extended resource that a job requests.',
    },
    { name: 'Image', type: 'string', jsonPath: '.spec.image', description: 'Trainer image.' },
    {
      name: 'Age',
      type: 'date',
      jsonPath: '.metadata.creationTimestamp',
      description: 'Time since the runtime was created.',
    },
    {
      name: 'Queue',
      type: 'string',
      jsonPath: '.spec.queueName',
      description: 'Queue that the train Jobs wait in.',
      priority: 1,
    },
  ],
};

export const resources = [jobResource, runtimeResource] as const;

const typeMeta: Record<string, StructuralSchema> = {
  apiVersion: { description: `${group}/${version}.`, type: 'string' },
  kind: { description: 'Kind of the resource.', type: 'string' },
  metadata: { type: 'object' },
};

/** Schema of the whole resource, as it stands in the CRD. */
export function resourceSchema({ kind, schema }: Resource): StructuralSchema {
  const { properties, ...rest } = toStructuralSchema(schema, kind);
  return { ...rest, properties: { ...typeMeta, ...properties } };
}

/** The CustomResourceDefinition as an object. */
export function customResourceDefinition(resource: Resource): Record<string, unknown> {
  const { kind, plural, singular, shortName, scope, columns } = resource;
  const schema = resourceSchema(resource);
  for (const column of columns) assertColumn(column, schema, kind);
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      names: { kind, listKind: `${kind}List`, plural, singular, shortNames: [shortName] },
      scope,
      versions: [
        {
          name: version,
          served: true,
          storage: true,
          ...(schema.properties?.['status'] ? { subresources: { status: {} } } : {}),
          additionalPrinterColumns: columns,
          schema: { openAPIV3Schema: schema },
        },
      ],
    },
  };
}

/** The API server shows an empty column for a path that leads nowhere, so a typing error must end here. */
function assertColumn({ name, jsonPath, type }: Column, schema: StructuralSchema, kind: string): void {
  if (jsonPath.startsWith('.metadata.')) return;
  let field: StructuralSchema | undefined = schema;
  for (const segment of jsonPath.split('.').slice(1)) field = field?.properties?.[segment];
  if (field?.type !== type)
    throw new UnsupportedSchema(`${kind}${jsonPath}`, `column ${name} wants a field of type ${type}`);
}
