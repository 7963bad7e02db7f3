/** The kernels of one instruction set, by opcode; null where there is none, which is left to wasm. The tables are made by scripts/build-native.mjs. */
#pragma once
#include <cstdint>

using Kernel = void (*)(uint8_t* memory, uint32_t instruction, uint32_t scratch, uint32_t from, uint32_t until);

struct InstructionSet {
  const char* name;
  const Kernel* kernels;
};

/** All that the file holds, the widest last. */
extern const InstructionSet instructionSets[];
extern const uint32_t instructionSetCount;
/** Of the tables: one more than the largest opcode. */
extern const uint32_t kernelCount;
/** By opcode, for people; null for opcodes that there are not. */
extern const char* const kernelNames[];
/** Of the sources, as in src/engines/native/revision.generated.ts. */
extern const char revision[];
