// Trains a small spiking transformer on Fashion-MNIST and says how often it is right on the 10,000 test images.
// node examples/fashion-mnist.mjs [folder of the four idx files]
import {
  evaluate,
  loadModel,
  matchClasses,
  openDataset,
  openEvaluationData,
  openRecipe,
  train,
} from 'meta-spikeformer';

const data = process.argv[2] ?? '/usr/share/datasets/fashion-mnist';
const output = process.argv[3] ?? 'runs/fashion-example';

// The recipe that ships, with half the channels and two epochs.
const recipe = await openRecipe('fashion-mnist', [
  'epochs=2',
  'embedDim=[16,32,48,64]',
  'smallerFirst=[]',
  'schedule.decayEpochs=2',
]);
const start = performance.now();
await train({
  recipe,
  dataset: await openDataset(data, { split: 'train' }),
  output,
  onProgress: (report) => {
    if (report.kind === 'step') {
      const { step, totalSteps, loss, imagesPerSecond } = report;
      console.log(`step ${step} of ${totalSteps}: loss ${loss.toFixed(3)}, ${imagesPerSecond.toFixed(0)} images/s`);
    } else
      console.log(`epoch ${report.epoch + 1}: ${(100 * report.heldOutAccuracy).toFixed(2)} % of the held-out images`);
  },
});
const minutes = (performance.now() - start) / 60_000;

const model = await loadModel({ checkpoint: `${output}/best.safetensors` });
const test = await openEvaluationData(data);
const batches = test.batches({ batch: 64, preprocess: model.preprocessing });
const { accuracy } = await evaluate(model, batches, matchClasses(model, test.classes, data));
const { top1, images } = accuracy;
console.log(`${((100 * top1) / images).toFixed(2)} % of ${images} test images after ${minutes.toFixed(1)} minutes`);
await model.dispose();
