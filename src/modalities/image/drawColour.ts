/**
 * Random changes of colour as detectors and segmentation are trained with (Liu et al., "SSD", ECCV 2016), in the order and with the ranges of mmsegmentation's
 * PhotoMetricDistortion. The random numbers are our own stream. Nothing is applied here.
 */
import { uniform } from '../../data/geometry/crop.js';
import type { Random } from '../../random.js';
import type { ColourSettings } from './settings.js';
import type { PhotometricStep } from './steps.js';

/**
 * Brightness, contrast, saturation, hue, or contrast last, as a coin says; each with the probability. Nine numbers are drawn in any case, so that what is drawn later does not depend
 * on what happens.
 */
export function drawColour(settings: ColourSettings, random: Random): readonly PhotometricStep[] {
  const { brightness, contrast, saturation, hue, probability } = settings;
  const step = (operation: PhotometricStep['operation'], from: number, to: number): readonly PhotometricStep[] => {
    const happens = random.uniform() < probability;
    const amount = uniform(from, to, random);
    return happens ? [{ kind: 'photometric', operation, amount }] : [];
  };
  const contrastFirst = random.uniform() < 0.5;
  const brighter = step('addBrightness', -brightness, brightness);
  const steeper = step('scaleContrast', contrast[0], contrast[1]);
  const stronger = step('scaleSaturation', saturation[0], saturation[1]);
  const turned = step('turnHue', -hue, hue);
  return contrastFirst
    ? [...brighter, ...steeper, ...stronger, ...turned]
    : [...brighter, ...stronger, ...turned, ...steeper];
}
