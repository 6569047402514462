/** What kwok does with nodes and pods: the steps that a kubelet would report, each with a result that a trainer could give. */
import { failures } from '../../crds/failures.ts';
import { labels, type Stage, trainerContainer } from '../../operator/manifests/names.ts';
import { failed, interrupted, jobUid, succeeded, validated } from '../../test/operator/builders.ts';

/** Trainers of FineTuneJobs with such names fail. */
export const failing = 'fail-';

/** Stands in the results for the UID of the pod. */
const podUid = '00000000-0000-0000-0000-000000000000';
/** Stands in them for the run. */
const runId = 'the-run';
const damaged = failed(podUid, 'DataError', 'train.jsonl, line 7: no text.');

export type Times = { preflightMs: number; trainMs: number };

/** The configuration file of kwok: JSON documents, which are YAML too. */
export function stagesOf({ preflightMs, trainMs }: Times): string {
  const stages = [
    node,
    created,
    started,
    ended('preflight', preflightMs, terminated(0, validated(podUid))),
    ended(
      'train',
      trainMs,
      `{{ if hasPrefix "${failing}" ${own(labels.job)} }}${terminated(failures.DataError.exitCode, damaged)}{{ else }}${terminated(0, succeeded(podUid))}{{ end }}`,
    ),
    stopped,
    removed,
  ];
  return stages.map((stage) => JSON.stringify(stage)).join('\n---\n');
}

type Selector = { key: string; operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist'; values?: string[] };
type Next = {
  kind: 'Node' | 'Pod';
  when: Selector[];
  afterMs?: number;
  labels?: object;
  /** Its new status; none = the object is removed. */
  status?: string;
};

function stage(name: string, { kind, when, afterMs = 0, labels: matchLabels, status }: Next) {
  return {
    apiVersion: 'kwok.x-k8s.io/v1alpha1',
    kind: 'Stage',
    metadata: { name },
    spec: {
      resourceRef: { apiGroup: 'v1', kind },
      selector: { ...(matchLabels && { matchLabels }), matchExpressions: when },
      delay: { durationMilliseconds: afterMs },
      next: status === undefined ? { delete: true } : { statusTemplate: status },
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
const doomed: Selector = { ...alive, operator: 'Exists' };
const running: Selector = { key: '.status.phase', operator: 'In', values: ['Running'] };

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

function ended(which: Stage, afterMs: number, status: string) {
  return stage(`${which}-ended`, {
    kind: 'Pod',
    when: [alive, running],
    labels: { [labels.stage]: which },
    afterMs,
    status,
  });
}

/** A pod that is deleted gets SIGTERM, and its trainer ends after a checkpoint. */
const stopped = stage('pod-stopped', {
  kind: 'Pod',
  when: [doomed, running],
  afterMs: 500,
  status: terminated(failures.Interrupted.exitCode, interrupted(podUid)),
});

const removed = stage('pod-removed', {
  kind: 'Pod',
  when: [doomed, { ...running, operator: 'NotIn' }],
  afterMs: 100,
});

/** Template of the label of a pod. */
function own(label: string): string {
  return `(index .metadata.labels "${label}")`;
}

/** The status of a pod whose trainer has ended and left a result. */
function terminated(exitCode: number, result: object): string {
  const message = JSON.stringify(result).replace('"runId":"1"', `"runId":"${runId}"`);
  const said = [
    `\`${message}\``,
    `replace "${podUid}" .metadata.uid`,
    `replace "${jobUid}" ${own(labels.jobUid)}`,
    `replace "${runId}" ${own(labels.run)}`,
  ].join(' | ');
  return `
phase: ${exitCode === 0 ? 'Succeeded' : 'Failed'}
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
      exitCode: ${exitCode}
      reason: ${exitCode === 0 ? 'Completed' : 'Error'}
      startedAt: {{ (index .status.containerStatuses 0).state.running.startedAt | Quote }}
      finishedAt: {{ Now | Quote }}
      message: {{ ${said} | Quote }}
`;
}
