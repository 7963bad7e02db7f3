/**
 * Teachers for distillation: a network that only answers. It sees the batch that the student sees, augmentation included, normalised as
 * it was trained. One of our checkpoints runs in an engine of ours; an ONNX file in onnxruntime-node, when that is installed.
 */
import type { Engine } from '../engines/kernels.js';
import { logitsOutput } from '../graph/outputs.js';
import type { Shape } from '../graph/shape.js';
import { Inference } from '../inference/inference.js';
import { networkOf } from '../inference/network.js';
import { openCheckpointFile } from '../interop/checkpointFiles.js';
import { loadParameters } from '../interop/loadParameters.js';
import type { Normalisation } from '../modalities/input.js';
import { modalityOfCheckpoint } from '../modalities/names.js';
import type { TeacherRequest } from '../tasks/task.js';
import { TrainingError } from './errors.js';
import { type Recipe, recipeInput } from './recipe.js';

export interface Teacher {
  /**
   * Scores `[B, classes]` for a batch as the student gets it.
   *
   * @param shape `[B, C, H, W]`, or `[T, B, C, H, W]` for frames.
   */
  logits(batch: Float32Array, shape: Shape): Promise<Float32Array>;
  dispose(): Promise<void>;
}

type Student = Pick<Recipe, 'model' | 'data'> & { readonly teacher: TeacherRequest };

/**
 * @param teacher Whom the task's objective asks.
 * @throws TrainingError when the teacher does not fit the student; CheckpointError for a file that is none.
 */
export async function openTeacher(
  teacher: TeacherRequest,
  recipe: Pick<Recipe, 'model' | 'data'>,
  createEngine: () => Promise<Engine>,
): Promise<Teacher> {
  const { path } = teacher;
  const student = { ...recipe, teacher };
  return path.toLowerCase().endsWith('.onnx') ? openOnnxTeacher(path, student) : openOwn(path, student, createEngine);
}

async function openOwn(path: string, student: Student, createEngine: () => Promise<Engine>): Promise<Teacher> {
  const checkpoint = await openCheckpointFile(path);
  const loaded = await loadParameters(checkpoint).finally(() => checkpoint.close());
  const { architecture, configuration, parameters, description } = loaded;
  const { classes, inputChannels } = student.model;
  if (configuration.classes !== classes || configuration.inputChannels !== inputChannels) {
    throw new TrainingError(
      `${path}: this teacher has ${configuration.classes} classes and ${configuration.inputChannels} input channels, the student ${classes} and ${inputChannels}; choose another teacher`,
    );
  }
  const input = recipeInput(student);
  const seen = modalityOfCheckpoint(path, loaded.modality);
  if (seen !== input.name)
    throw new TrainingError(
      `${path}: this teacher looks at ${seen}, the student at ${input.name}; choose another teacher`,
    );
  const { timeSteps } = student.model;
  if (input.shapeOf(student.data.preprocessing).frames !== undefined && configuration.timeSteps !== timeSteps)
    throw new TrainingError(
      `${path}: this teacher has ${configuration.timeSteps} time steps, the student ${timeSteps}: they get the same frames; choose another teacher`,
    );
  const own = description.preprocessing && input.normalisation(input.parse(description.preprocessing, path));
  const normalise = normaliser(student, own);
  const engine = await createEngine();
  const inference = new Inference({
    name: path,
    network: networkOf({ architecture, configuration }, parameters),
    engine,
  });
  return {
    logits: async (images, shape) => {
      const { outputs } = await inference.run({ shape, data: normalise(images, shape) });
      return outputs.get(logitsOutput)!.data;
    },
    dispose: () => inference.dispose(),
  };
}

/** The part of onnxruntime-node that is used; the package is the user's choice and not among ours. */
interface OnnxRuntime {
  readonly Tensor: new (type: 'float32', data: Float32Array, dimensions: readonly number[]) => unknown;
  readonly InferenceSession: {
    create(path: string): Promise<{
      readonly inputNames: readonly string[];
      readonly outputNames: readonly string[];
      run(
        feeds: Record<string, unknown>,
      ): Promise<Record<string, { readonly data: unknown; readonly dims: readonly number[] }>>;
      release?(): Promise<void>;
    }>;
  };
}

async function openOnnxTeacher(path: string, student: Student): Promise<Teacher> {
  const runtime = await loadOnnxRuntime(path);
  const session = await runtime.InferenceSession.create(path).catch((cause: unknown) => {
    throw new TrainingError(`${path}: onnxruntime cannot open it: ${reasonOf(cause)}`, { cause });
  });
  const normalise = normaliser(student, undefined);
  const [inputName] = session.inputNames;
  // Files of ours give out every head; the answer is the first, and so it is in files of others that have several.
  const outputName = session.outputNames.includes(logitsOutput) ? logitsOutput : session.outputNames[0];
  if (session.inputNames.length !== 1 || inputName === undefined || outputName === undefined) {
    throw new TrainingError(
      `${path}: has the inputs ${session.inputNames.join(', ')}; a teacher takes one, images [B, C, H, W] or frames [T, B, C, H, W]`,
    );
  }
  const { classes } = student.model;
  return {
    logits: async (images, shape) => {
      const batch = shape.at(-4);
      const input = new runtime.Tensor('float32', own(normalise(images, shape), images), shape);
      const results = await session.run({ [inputName]: input }).catch((cause: unknown) => {
        throw new TrainingError(
          `${path}: cannot take images ${shape.join(' × ')}: ${reasonOf(cause)}; export it for that size and batch, or with free axes`,
          { cause },
        );
      });
      const { data, dims } = results[outputName]!;
      if (!(data instanceof Float32Array) || dims.length !== 2 || dims[0] !== batch || dims[1] !== classes) {
        throw new TrainingError(`${path}: answers ${dims.join(' × ')}, expected float32 ${batch} × ${classes}`);
      }
      return data;
    },
    dispose: async () => session.release?.(),
  };
}

async function loadOnnxRuntime(path: string): Promise<OnnxRuntime> {
  // A variable, so that neither TypeScript nor a bundler looks for a package that may not be there.
  const name = 'onnxruntime-node';
  try {
    const found = (await import(name)) as { readonly default?: OnnxRuntime } & OnnxRuntime;
    return found.default ?? found;
  } catch (cause) {
    throw new TrainingError(`${path}: an ONNX teacher needs onnxruntime-node; npm install onnxruntime-node`, { cause });
  }
}

/** onnxruntime reads its input later. */
function own(normalised: Float32Array, given: Float32Array): Float32Array {
  return normalised === given ? given.slice() : normalised;
}

function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message.split('\n')[0]! : String(cause);
}

/** From the student's normalisation to the teacher's: one scale and shift per channel. */
function normaliser(
  { data, teacher }: Student,
  own: Normalisation | undefined,
): (images: Float32Array, shape: Shape) => Float32Array {
  const from = recipeInput({ data }).normalisation(data.preprocessing);
  if (from === undefined) return (images) => images;
  const to = teacher.normalisation ?? own ?? from;
  const scale = from.std.map((std, c) => std / to.std[c]!);
  const shift = from.mean.map((mean, c) => (mean - to.mean[c]!) / to.std[c]!);
  if (scale.every((value) => value === 1) && shift.every((value) => value === 0)) return (images) => images;
  return (images, [, channels = 1, height = 1, width = 1]) => {
    const area = height * width;
    return images.map((value, i) => {
      const channel = Math.floor(i / area) % channels;
      return value * scale[channel]! + shift[channel]!;
    });
  };
}
