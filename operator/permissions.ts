/** What the operator may do in the API: exactly what it uses. The Helm chart's rules are generated from this list. */

export type PolicyRule = { apiGroups: string[]; resources: string[]; verbs: string[] };

/** Rules for all namespaces in which jobs may live. */
export const clusterRules: readonly PolicyRule[] = [
  {
    apiGroups: ['finetune.dev'],
    resources: ['finetunejobs', 'finetuneruntimes'],
    verbs: ['get', 'list', 'watch'],
  },
  { apiGroups: ['finetune.dev'], resources: ['finetunejobs/status'], verbs: ['patch', 'update'] },
  {
    apiGroups: ['batch'],
    resources: ['jobs'],
    verbs: ['create', 'delete', 'get', 'list', 'patch', 'watch'],
  },
  { apiGroups: [''], resources: ['configmaps'], verbs: ['create', 'delete', 'get'] },
  { apiGroups: [''], resources: ['pods'], verbs: ['get', 'list', 'watch'] },
  { apiGroups: [''], resources: ['events'], verbs: ['create', 'patch'] },
];

/** Rules for the namespace of the operator itself. */
export const ownNamespaceRules: readonly PolicyRule[] = [
  { apiGroups: ['coordination.k8s.io'], resources: ['leases'], verbs: ['create', 'get', 'update'] },
];
