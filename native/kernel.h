/**
 * What every kernel uses: the memory that it shares with wasm, the words of its instruction, and its part of the work. A kernel is the twin of the AssemblyScript
 * function of the same name in `kernels/` and reads the same words:
 *
 *     namespace SPIKEFORMER_ISA {
 *     void scaleShift(Bytes memory, uint32_t instruction, uint32_t scratch, uint32_t from, uint32_t until) { … }
 *     }
 *
 * Each file is compiled once for each instruction set, into a namespace of that name. So that the linker never takes a function that was compiled for another set, everything
 * lies in that namespace, and nothing of the standard library that is a template or inline is used.
 */
#pragma once
#include <cstdint>
#include <cstring>
#include "instructionSet.generated.h"

/** Start of the memory: an address of an instruction is an offset into it. */
using Bytes = uint8_t*;

#define SPIKEFORMER_INLINE static inline __attribute__((always_inline, unused))
/** Of functions that hold the hot loops: in a function of their own they have all registers. */
#define SPIKEFORMER_LOOP static __attribute__((noinline, unused))

namespace SPIKEFORMER_ISA {

/** Claims are fractions of the whole instruction, in units of 1 / 65536: `kernels/threads.ts`. */
constexpr uint32_t whole = 65536;

SPIKEFORMER_INLINE uint32_t load32(const uint8_t* at) {
  uint32_t value;
  memcpy(&value, at, sizeof value);
  return value;
}

SPIKEFORMER_INLINE void store32(uint8_t* at, uint32_t value) { memcpy(at, &value, sizeof value); }

SPIKEFORMER_INLINE float loadFloat(const uint8_t* at) {
  float value;
  memcpy(&value, at, sizeof value);
  return value;
}

SPIKEFORMER_INLINE void storeFloat(uint8_t* at, float value) { memcpy(at, &value, sizeof value); }

/** A word of an instruction. */
SPIKEFORMER_INLINE uint32_t wordOf(Bytes memory, uint32_t instruction, uint32_t word) { return load32(memory + instruction + word * 4); }

/** A word of an instruction that is a float32. */
SPIKEFORMER_INLINE float floatOf(Bytes memory, uint32_t instruction, uint32_t word) { return loadFloat(memory + instruction + word * 4); }

/** What a word of an instruction points to. */
SPIKEFORMER_INLINE Bytes at(Bytes memory, uint32_t instruction, uint32_t word) { return memory + wordOf(memory, instruction, word); }

SPIKEFORMER_INLINE uint32_t smaller(uint32_t a, uint32_t b) { return a < b ? a : b; }
SPIKEFORMER_INLINE uint32_t larger(uint32_t a, uint32_t b) { return a > b ? a : b; }

/** The first of `total` tasks that lies in a claim that begins at `at`; the claim's end is the start of the next one. */
SPIKEFORMER_INLINE uint32_t claimStart(uint32_t total, uint32_t at) { return static_cast<uint32_t>((static_cast<uint64_t>(total) * at) >> 16); }

/** Where part `index` of `count` equal parts of `total` begins. */
SPIKEFORMER_INLINE uint32_t shareStart(uint32_t total, uint32_t index, uint32_t count) {
  return static_cast<uint32_t>(static_cast<uint64_t>(total) * index / count);
}

/** The first element of a claim that begins at `at`: a multiple of 16 (a cache line), or the end. */
SPIKEFORMER_INLINE uint32_t rangeStart(uint32_t elements, uint32_t at) {
  return smaller(elements, claimStart((elements + 15) >> 4, at) << 4);
}

/** Whether this thread has prepared block `block` of the current instruction in its scratch, in an earlier claim; from now on it counts as prepared. */
SPIKEFORMER_INLINE bool isPrepared(Bytes memory, uint32_t scratch, uint32_t block) {
  const Bytes word = memory + scratch - Size::prepared;
  if (load32(word) == block + 1) return true;
  store32(word, block + 1);
  return false;
}

/** Whether this thread has prepared nothing of the current instruction yet. */
SPIKEFORMER_INLINE bool isFirstClaim(Bytes memory, uint32_t scratch) { return load32(memory + scratch - Size::prepared) == 0; }

}  // namespace SPIKEFORMER_ISA
