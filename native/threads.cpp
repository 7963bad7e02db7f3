#include "threads.h"

namespace threads {
namespace {

// One cache line each.
constexpr uint32_t stoppedAt = 64;
constexpr uint32_t generationAt = 128;
constexpr uint32_t sleepersAt = 192;
constexpr uint32_t completedAt = 256;
constexpr uint32_t jobAt = 320;
constexpr uint32_t rangesAt = 512;

/** A worker spins for longer than what is left of most instructions; the thread that runs programs for a tenth of that. */
constexpr uint32_t workerSpins = 200000;
constexpr uint32_t callerSpins = 20000;
constexpr uint32_t unitsPerThread = 64;
constexpr uint32_t wholeBits = 16;

uint32_t* wordAt(Bytes memory, uint32_t at) { return reinterpret_cast<uint32_t*>(memory + at); }
uint64_t* rangeAt(Bytes memory, uint32_t thread) { return reinterpret_cast<uint64_t*>(memory + rangesAt + thread * 64); }

uint32_t atomicLoad(const uint32_t* word) { return __atomic_load_n(word, __ATOMIC_SEQ_CST); }
void atomicStore(uint32_t* word, uint32_t value) { __atomic_store_n(word, value, __ATOMIC_SEQ_CST); }
// Not ordered by themselves: what a thread reads here while another program begins is never used.
uint32_t relaxedLoad(const uint32_t* word) { return __atomic_load_n(word, __ATOMIC_RELAXED); }
void relaxedStore(uint32_t* word, uint32_t value) { __atomic_store_n(word, value, __ATOMIC_RELAXED); }

uint64_t rangeOf(uint32_t current, uint32_t first, uint32_t end) { return (static_cast<uint64_t>(current) << 32) | (first << 16) | end; }

/** Gives every thread its own units of an instruction; called while nobody holds a claim. */
void deal(Bytes memory, uint32_t current, uint32_t threads) {
  for (uint32_t thread = 0; thread < threads; thread++) {
    const uint32_t first = thread * unitsPerThread;
    __atomic_store_n(rangeAt(memory, thread), rangeOf(current, first, first + unitsPerThread), __ATOMIC_SEQ_CST);
  }
}

/** Takes units of one thread's range, if it is of this generation: half of them (one at least) from its beginning, or from its end. Returns first and end, or 0. */
uint32_t take(Bytes memory, uint32_t thread, uint32_t current, bool fromEnd) {
  uint64_t* word = rangeAt(memory, thread);
  uint64_t range = __atomic_load_n(word, __ATOMIC_SEQ_CST);
  while (true) {
    if (static_cast<uint32_t>(range >> 32) != current) return 0;
    const uint32_t first = static_cast<uint32_t>(range >> 16) & 0xffff;
    const uint32_t end = static_cast<uint32_t>(range) & 0xffff;
    if (first >= end) return 0;
    const uint32_t cut = fromEnd ? (first + end) >> 1 : (first + end + 1) >> 1;
    const uint64_t left = fromEnd ? rangeOf(current, first, cut) : rangeOf(current, cut, end);
    if (__atomic_compare_exchange_n(word, &range, left, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
      return fromEnd ? (cut << 16) | end : (first << 16) | cut;
    }
  }
}

void advance(Bytes memory, uint32_t next, Sleeping& sleeping) {
  atomicStore(wordAt(memory, generationAt), next);
  // A thread counts itself among the sleepers before it compares the generation for the last time and until it is awake, so none is missed.
  if (atomicLoad(wordAt(memory, sleepersAt)) != 0) sleeping.wake();
}

}  // namespace

uint32_t claim(Bytes memory, uint32_t thread, uint32_t threads, uint32_t current) {
  while (true) {
    const uint32_t own = take(memory, thread, current, false);
    if (own != 0) return own;
    uint32_t stolen = 0;
    for (uint32_t distance = 1; distance < threads && stolen == 0; distance++) stolen = take(memory, (thread + distance) % threads, current, true);
    if (stolen == 0) return 0;
    // What was stolen is the thief's own now, so that others can take half of it again. The instruction is not over before it is done, so the range is still of this generation.
    __atomic_store_n(rangeAt(memory, thread), rangeOf(current, stolen >> 16, stolen & 0xffff), __ATOMIC_SEQ_CST);
  }
}

void complete(Bytes memory, uint32_t units, uint32_t threads, uint32_t current, Sleeping& sleeping) {
  const uint32_t count = (units & 0xffff) - (units >> 16);
  if (__atomic_fetch_add(wordAt(memory, completedAt), count, __ATOMIC_SEQ_CST) + count != threads * unitsPerThread) return;
  atomicStore(wordAt(memory, completedAt), 0);
  deal(memory, current + 1, threads);
  advance(memory, current + 1, sleeping);
}

uint32_t unitStart(uint32_t unit, uint32_t threads) { return (unit << wholeBits) / (threads * unitsPerThread); }

uint32_t currentGeneration(Bytes memory) { return atomicLoad(wordAt(memory, generationAt)); }

Job currentJob(Bytes memory) {
  const uint32_t* words = wordAt(memory, jobAt);
  return {relaxedLoad(words), relaxedLoad(words + 1), relaxedLoad(words + 2), relaxedLoad(words + 3), relaxedLoad(words + 4), relaxedLoad(words + 5)};
}

void announce(Bytes memory, const Job& job, Sleeping& sleeping) {
  const uint32_t first = currentGeneration(memory) + 1;
  uint32_t* words = wordAt(memory, jobAt);
  relaxedStore(words, job.program);
  relaxedStore(words + 1, job.count);
  relaxedStore(words + 2, job.scratch);
  relaxedStore(words + 3, job.scratchStride);
  relaxedStore(words + 4, job.threads);
  relaxedStore(words + 5, first);
  deal(memory, first, job.threads);
  advance(memory, first, sleeping);
}

void stop(Bytes memory, Sleeping& sleeping) {
  atomicStore(wordAt(memory, stoppedAt), 1);
  advance(memory, currentGeneration(memory) + 1, sleeping);
}

bool isStopped(Bytes memory) { return atomicLoad(wordAt(memory, stoppedAt)) != 0; }

bool awaitNext(Bytes memory, uint32_t seen, bool isWorker, Sleeping& sleeping) {
  const uint32_t* generation = wordAt(memory, generationAt);
  const uint32_t spins = isWorker ? workerSpins : callerSpins;
  for (uint32_t spin = 0; spin < spins; spin++) {
    if (atomicLoad(generation) != seen) return true;
  }
  __atomic_fetch_add(wordAt(memory, sleepersAt), 1, __ATOMIC_SEQ_CST);
  bool lives = true;
  while (lives && atomicLoad(generation) == seen) lives = sleeping.sleep(seen);
  __atomic_fetch_sub(wordAt(memory, sleepersAt), 1, __ATOMIC_SEQ_CST);
  return lives;
}

}  // namespace threads
