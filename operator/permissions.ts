/** What the operator may do in the API: exactly what it uses. The Helm chart's rules are generated from this list. */

export type PolicyRule = { apiGroups: string[]; resources: string[]; verbs: string[] };

/** Rules for all namespaces in which jobs may live. No Secrets: the kubelet mounts them. */
export const clusterRules: readonly PolicyRule[] = [
  { apiGroups: ['finetune.dev'], resources: ['finetunejobs'], verbs: ['delete', 'get', 'list', 'watch'] },
  { apiGroups: ['finetune.dev'], resources: ['finetunejobs/status'], verbs: ['update'] },
  // Where OwnerReferencesPermissionEnforcement is on, a child that blocks the deletion of its owner asks for it.
  { apiGroups: ['finetune.dev'], resources: ['finetunejobs/finalizers'], verbs: ['update'] },
  { apiGroups: ['finetune.dev'], resources: ['finetuneruntimes'], verbs: ['get', 'list', 'watch'] },
  {
    apiGroups: ['batch'],
    resources: ['jobs'],
    verbs: ['create', 'delete', 'get', 'list', 'patch', 'watch'],
  },
  { apiGroups: [''], resources: ['pods'], verbs: ['list', 'watch'] },
  { apiGroups: [''], resources: ['events'], verbs: ['create', 'patch'] },
];

/** Rules for the namespace of the operator itself. */
export const ownNamespaceRules: readonly PolicyRule[] = [
  { apiGroups: ['coordination.k8s.io'], resources: ['leases'], verbs: ['create', 'get', 'update'] },
];
