import type { AttentionProductCall, AttentionProductGradientCall } from '../../calls/attentionProduct.js';
import {
  attentionProduct as product,
  attentionProductGradient as productGradient,
} from '../../calls/attentionProduct.js';
import { recordDeclared } from '../declaredCalls.js';
import { roundUp } from '../packing.js';
import type { Recording } from '../recording.js';

export function attentionProduct(recording: Recording, call: AttentionProductCall): void {
  needSquare(recording, call);
  recordDeclared(recording, product, call);
}

export function attentionProductGradient(recording: Recording, call: AttentionProductGradientCall): void {
  needSquare(recording, call);
  recordDeclared(recording, productGradient, call);
}

/** A thread holds one matrix of a head's channels by its channels. */
function needSquare(
  recording: Recording,
  { channels, heads }: AttentionProductCall | AttentionProductGradientCall,
): void {
  const width = channels / heads;
  recording.needScratch(width * roundUp(width, 4) * 4);
}
