/** Objects for the tests of the CRDs: a smallest valid one of each kind, and changes to it. */

export type KubeObject = {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string; resourceVersion?: string };
  spec: Record<string, unknown>;
  status?: Record<string, unknown>;
};

/** Dotted path -> new value; undefined removes the field. */
export type Changes = Record<string, unknown>;

const s3 = (prefix: string) => ({ s3: { endpoint: 'https://s3.example.com', bucket: 'team-a', prefix } });

/** The smallest valid FineTuneJob, with changes. */
export function job(changes: Changes = {}, name = 'spam'): KubeObject {
  const smallest: KubeObject = {
    apiVersion: 'finetune.dev/v1alpha1',
    kind: 'FineTuneJob',
    metadata: { name, namespace: 'default' },
    spec: {
      task: 'SequenceClassification',
      model: s3('models/minilm'),
      dataset: {
        source: s3('emails'),
        splits: { train: 'train.jsonl', test: 'test.jsonl' },
      },
      output: s3('results'),
    },
  };
  return changed(smallest, changes);
}

/** The smallest valid FineTuneRuntime, with changes. */
export function runtime(changes: Changes = {}, name = 'gpu'): KubeObject {
  const smallest: KubeObject = {
    apiVersion: 'finetune.dev/v1alpha1',
    kind: 'FineTuneRuntime',
    metadata: { name },
    spec: { image: 'registry.example.com/trainer:1' },
  };
  return changed(smallest, changes);
}

/** A deep copy of `object` with each dotted path set or, when undefined, removed. */
export function changed<T extends object>(object: T, changes: Changes): T {
  const copy = structuredClone(object);
  for (const [path, value] of Object.entries(changes)) {
    const segments = path.split('.');
    const last = segments.pop()!;
    let parent = copy as Record<string, unknown>;
    for (const segment of segments) {
      parent[segment] ??= {};
      parent = parent[segment] as Record<string, unknown>;
    }
    if (value === undefined) delete parent[last];
    else parent[last] = value;
  }
  return copy;
}
