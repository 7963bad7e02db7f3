import type { SpikeAttentionCall, SpikeAttentionGradientCall } from '../../calls/spikeAttention.js';
import { AttentionWord } from '../instructionSet.js';
import { bitsOf } from '../numbers.js';
import { Opcode } from '../opcodes.generated.js';
import { roundUp } from '../packing.js';
import type { Recording } from '../recording.js';
import { AttentionGradientWord } from '../trainingInstructionSet.js';

export function spikeAttention(recording: Recording, call: SpikeAttentionCall): void {
  const width = call.channels / call.heads;
  const setBytes = 16 * Math.ceil(call.tokens / 128);
  const countBytes = 16 * Math.ceil(width / 4);
  // Kernels load whole registers of counts, of which the last may reach beyond them.
  recording.needScratch(width * (2 * setBytes + countBytes + 4) + 256);
  recording.append(call.name, 'spikeAttention', 'bit sets', Opcode.spikeAttention, {
    [AttentionWord.query]: recording.address(call.name, call.query),
    [AttentionWord.key]: recording.address(call.name, call.key),
    [AttentionWord.value]: recording.address(call.name, call.value),
    [AttentionWord.output]: recording.address(call.name, call.output),
    [AttentionWord.images]: call.images,
    [AttentionWord.tokens]: call.tokens,
    [AttentionWord.channels]: call.channels,
    [AttentionWord.heads]: call.heads,
    [AttentionWord.scale]: bitsOf(call.scale),
  });
}

export function spikeAttentionGradient(recording: Recording, call: SpikeAttentionGradientCall): void {
  const { name } = call;
  const width = call.channels / call.heads;
  recording.needScratch((3 * width + 1) * roundUp(width, 4) * 4 + 4 * width);
  recording.append(name, 'spikeAttentionGradient', '', Opcode.attentionGradient, {
    [AttentionGradientWord.query]: recording.address(name, call.query),
    [AttentionGradientWord.key]: recording.address(name, call.key),
    [AttentionGradientWord.value]: recording.address(name, call.value),
    [AttentionGradientWord.outputGradient]: recording.address(name, call.outputGradient),
    [AttentionGradientWord.images]: call.images,
    [AttentionGradientWord.tokens]: call.tokens,
    [AttentionGradientWord.channels]: call.channels,
    [AttentionGradientWord.heads]: call.heads,
    [AttentionGradientWord.scale]: bitsOf(call.scale),
    [AttentionGradientWord.queryGradient]: recording.address(name, call.queryGradient),
    [AttentionGradientWord.keyGradient]: recording.address(name, call.keyGradient),
    [AttentionGradientWord.valueGradient]: recording.address(name, call.valueGradient),
  });
}
