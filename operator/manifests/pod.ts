/** The pod that checks or trains. Nothing a user could abuse can be reached from the spec of a job. */
import type {
  V1Container,
  V1EnvVar,
  V1PodSpec,
  V1ResourceRequirements,
  V1Toleration,
  V1Volume,
  V1VolumeMount,
} from '@kubernetes/client-node';
import type { FineTuneJobSpec } from '../../crds/finetunejob.schema.ts';
import type { FineTuneRuntimeSpec } from '../../crds/finetuneruntime.schema.ts';
import { httpPort, paths, podIdentity } from '../../crds/trainer-contract.ts';
import { annotations, type Stage, trainerContainer } from './names.ts';
import { sourceVolumes } from './sources.ts';

/** User and group of the trainer image, also the group of volumes and Secrets. */
const trainerUser = 65_532;

const temporarySize = '2Gi';

/** Preflight keeps nothing that is worth waiting for. */
const preflightGraceSeconds = 30;

/** Seconds of the grace period that the trainer leaves for its exit, and the share it leaves of a short one. */
const exitSeconds = 10;

export type PodInput = { spec: FineTuneJobSpec; runtime: FineTuneRuntimeSpec; stage: Stage };

export function podSpec(input: PodInput): V1PodSpec {
  const { runtime } = input;
  const { volumes, mounts } = sourceVolumes(input.spec);
  return {
    restartPolicy: 'Never',
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    terminationGracePeriodSeconds: graceSeconds(input),
    securityContext: {
      runAsNonRoot: true,
      runAsUser: trainerUser,
      runAsGroup: trainerUser,
      fsGroup: trainerUser,
      // Without it a large volume is walked file by file at each start.
      fsGroupChangePolicy: 'OnRootMismatch',
      seccompProfile: { type: 'RuntimeDefault' },
    },
    ...(runtime.imagePullSecrets && { imagePullSecrets: runtime.imagePullSecrets }),
    ...placement(input, volumes),
    containers: [container(input, mounts)],
    volumes: [...ownVolumes(runtime), ...volumes],
  };
}

/**
 * Trainers run where the runtime says; preflight needs no accelerator and takes any node. Not so with a claim: a volume
 * that is made for its first pod is made where that pod runs, and has to be within reach of the trainer.
 */
function placement({ runtime, stage }: PodInput, volumes: V1Volume[]): Partial<V1PodSpec> {
  const { nodeSelector, tolerations, runtimeClassName } = runtime;
  const trains = stage === 'train';
  const bound = trains || volumes.some(({ persistentVolumeClaim }) => persistentVolumeClaim !== undefined);
  return {
    ...(bound && nodeSelector && { nodeSelector }),
    ...(bound && tolerations && { tolerations: tolerations as V1Toleration[] }),
    ...(trains && runtimeClassName !== undefined && { runtimeClassName }),
  };
}

function container(input: PodInput, mounts: V1VolumeMount[]): V1Container {
  const { runtime, stage } = input;
  return {
    name: trainerContainer,
    image: runtime.image,
    imagePullPolicy: runtime.imagePullPolicy,
    args: [stage],
    ports: [{ name: 'http', containerPort: httpPort, protocol: 'TCP' }],
    env: environment(input),
    resources: resourcesOf(input),
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    },
    terminationMessagePath: paths.terminationMessage,
    // A trainer that died without a word leaves the end of its log.
    terminationMessagePolicy: 'FallbackToLogsOnError',
    volumeMounts: [...ownMounts(), ...mounts],
  };
}

function environment(input: PodInput): V1EnvVar[] {
  const fromPod = (name: string, fieldPath: string): V1EnvVar => ({
    name,
    valueFrom: { fieldRef: { fieldPath } },
  });
  const grace = graceSeconds(input);
  return [
    fromPod(podIdentity.uid, 'metadata.uid'),
    fromPod(podIdentity.name, 'metadata.name'),
    fromPod(podIdentity.node, 'spec.nodeName'),
    { name: 'FINETUNE_GRACE_SECONDS', value: String(Math.max(grace / 2, grace - exitSeconds)) },
    { name: 'HOME', value: paths.work },
    // Kernels that the driver compiles at first use.
    { name: 'CUDA_CACHE_PATH', value: `${paths.work}/cuda-cache` },
    // The device plugin shows every accelerator of the node to a pod that asks for none.
    ...(acceleratorsOf(input) === 0 ? [{ name: 'NVIDIA_VISIBLE_DEVICES', value: 'void' }] : []),
  ];
}

function graceSeconds({ runtime, stage }: PodInput): number {
  const { terminationGracePeriodSeconds } = runtime;
  return stage === 'train'
    ? terminationGracePeriodSeconds
    : Math.min(preflightGraceSeconds, terminationGracePeriodSeconds);
}

/** Accelerators that the pod of a stage asks for. */
function acceleratorsOf({ spec, stage }: PodInput): number {
  return stage === 'train' ? spec.resources.gpus : 0;
}

/** Memory is requested as it is limited, so a node never kills a trainer for a neighbour. */
function resourcesOf(input: PodInput): V1ResourceRequirements {
  const { spec, runtime, stage } = input;
  const offer = runtime[stage === 'train' ? 'trainer' : 'preflight'];
  const { cpu = offer.cpu, memory = offer.memory } = stage === 'train' ? spec.resources : offer;
  const count = acceleratorsOf(input);
  const accelerators = count > 0 ? { [runtime.accelerator.resourceName]: String(count) } : {};
  return {
    requests: { cpu, memory, ...accelerators },
    limits: { cpu: offer.cpu, memory, ...accelerators },
  };
}

function ownVolumes({ workVolume }: FineTuneRuntimeSpec): V1Volume[] {
  return [
    {
      name: 'run-config',
      downwardAPI: {
        items: [
          {
            path: fileName(paths.runConfig),
            fieldRef: { fieldPath: `metadata.annotations['${annotations.runConfig}']` },
          },
        ],
      },
    },
    { name: 'work', emptyDir: { sizeLimit: workVolume } },
    { name: 'tmp', emptyDir: { sizeLimit: temporarySize } },
  ];
}

function ownMounts(): V1VolumeMount[] {
  return [
    { name: 'run-config', mountPath: folderOf(paths.runConfig), readOnly: true },
    { name: 'work', mountPath: paths.work },
    { name: 'tmp', mountPath: '/tmp' },
  ];
}

function fileName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/'));
}
