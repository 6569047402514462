/** What kwok does with nodes and pods: the steps that a kubelet would report, each with a result that a trainer could give. */
import { labels, type Stage, trainerContainer } from '../../operator/manifests/names.ts';
import { jobUid, succeeded, validated } from '../../test/operator/builders.ts';

/** Stands in the results for the UID of the pod. */
const podUid = '00000000-0000-0000-0000-000000000000';

export type Times = { preflightMs: number; trainMs: number };

/** The configuration file of kwok: JSON documents, which are YAML too. */
export function stagesOf({ preflightMs, trainMs }: Times): string {
  const stages = [
    node,
    created,
    started,
    ended('preflight', JSON.stringify(validated(podUid)), preflightMs),
    ended('train', JSON.stringify(succeeded(podUid)), trainMs),
  ];
  return stages.map((stage) => JSON.stringify(stage)).join('\n---\n');
}

type Selector = { key: string; operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist'; values?: string[] };
type Next = { kind: 'Node' | 'Pod'; when: Selector[]; afterMs?: number; labels?: object; status: string };

function stage(name: string, { kind, when, afterMs = 0, labels: matchLabels, status }: Next) {
  return {
    apiVersion: 'kwok.x-k8s.io/v1alpha1',
    kind: 'Stage',
    metadata: { name },
    spec: {
      resourceRef: { apiGroup: 'v1', kind },
      selector: { ...(matchLabels && { matchLabels }), matchExpressions: when },
      delay: { durationMilliseconds: afterMs },
      next: { statusTemplate: status },
    },
  };
}

const node = stage('node', {
  kind: 'Node',
  when: [{ key: '.status.phase', operator: 'NotIn', values: ['Running'] }],
  status: `
conditions:
{{ range NodeConditions }}
- {type: {{ .type }}, status: {{ .status | Quote }}, reason: {{ .reason }}, lastHeartbeatTime: {{ Now | Quote }}, lastTransitionTime: {{ Now | Quote }}}
{{ end }}
phase: Running
`,
});

const alive: Selector = { key: '.metadata.deletionTimestamp', operator: 'DoesNotExist' };

/** Its volumes are mounted, its network is there. */
const created = stage('pod-created', {
  kind: 'Pod',
  when: [alive, { key: '.status.podIP', operator: 'DoesNotExist' }],
  status: `
{{ $ip := PodIPWith .spec.nodeName false .metadata.uid .metadata.name .metadata.namespace }}
phase: Pending
startTime: {{ Now | Quote }}
podIP: {{ $ip }}
podIPs: [{ip: {{ $ip }}}]
conditions:
- {type: PodReadyToStartContainers, status: "True", lastTransitionTime: {{ Now | Quote }}}
- {type: Initialized, status: "True", lastTransitionTime: {{ Now | Quote }}}
containerStatuses:
- {name: ${trainerContainer}, image: {{ (index .spec.containers 0).image }}, imageID: "", ready: false, restartCount: 0, state: {waiting: {reason: ContainerCreating}}}
`,
});

const started = stage('pod-started', {
  kind: 'Pod',
  when: [
    alive,
    { key: '.status.podIP', operator: 'Exists' },
    { key: '.status.phase', operator: 'In', values: ['Pending'] },
  ],
  afterMs: 500,
  status: `
phase: Running
conditions:
- {type: Ready, status: "True", lastTransitionTime: {{ Now | Quote }}}
containerStatuses:
- {name: ${trainerContainer}, image: {{ (index .spec.containers 0).image }}, imageID: "", ready: true, started: true, restartCount: 0, state: {running: {startedAt: {{ Now | Quote }}}}}
`,
});

function ended(which: Stage, message: string, afterMs: number) {
  const own = (label: string) => `(index .metadata.labels "${label}")`;
  const said = `\`${message}\` | replace "${podUid}" .metadata.uid | replace "${jobUid}" ${own(labels.jobUid)}`;
  return stage(`${which}-ended`, {
    kind: 'Pod',
    when: [alive, { key: '.status.phase', operator: 'In', values: ['Running'] }],
    labels: { [labels.stage]: which },
    afterMs,
    status: `
phase: Succeeded
conditions:
- {type: Ready, status: "False", reason: PodCompleted, lastTransitionTime: {{ Now | Quote }}}
containerStatuses:
- name: ${trainerContainer}
  image: {{ (index .spec.containers 0).image }}
  imageID: ""
  ready: false
  started: false
  restartCount: 0
  state:
    terminated:
      exitCode: 0
      reason: Completed
      startedAt: {{ (index .status.containerStatuses 0).state.running.startedAt | Quote }}
      finishedAt: {{ Now | Quote }}
      message: {{ ${said} | Quote }}
`,
  });
}
