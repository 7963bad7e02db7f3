/**
 * How threads share work: the twin of `kernels/threads.ts`, which says why it is so. The words lie in the same places of the same memory, but only native code ever touches
 * them in an engine that runs natively. Threads sleep in JavaScript (`Atomics.wait`), so that a worker that is ended while it sleeps wakes up.
 */
#pragma once
#include <cstdint>

using Bytes = uint8_t*;

namespace threads {

/** How a thread sleeps until the generation is no longer `seen`, and wakes all that do. */
class Sleeping {
 public:
  /** False when the thread is being ended. */
  virtual bool sleep(uint32_t seen) = 0;
  virtual void wake() = 0;

 protected:
  ~Sleeping() = default;
};

struct Job {
  uint32_t program;
  uint32_t count;
  uint32_t scratch;
  uint32_t scratchStride;
  uint32_t threads;
  uint32_t firstGeneration;
};

/** A thread's next units of an instruction (first in the upper half, end in the lower), or 0 when all have been claimed or the instruction is over. */
uint32_t claim(Bytes memory, uint32_t thread, uint32_t threads, uint32_t current);
/** Tells that claimed units are done. Whoever does the last of an instruction opens the next. */
void complete(Bytes memory, uint32_t units, uint32_t threads, uint32_t current, Sleeping& sleeping);
/** Where unit `unit` begins, in fractions of the whole instruction. */
uint32_t unitStart(uint32_t unit, uint32_t threads);
uint32_t currentGeneration(Bytes memory);
/** What the generation in force runs; the words of two programs for a thread that was away, which finds out when it claims. */
Job currentJob(Bytes memory);
/** Hands a program to all threads; the one before is over. */
void announce(Bytes memory, const Job& job, Sleeping& sleeping);
/** Ends the life of every waiting thread. */
void stop(Bytes memory, Sleeping& sleeping);
bool isStopped(Bytes memory);
/** Waits until the generation is no longer `seen`; false when the thread is being ended. */
bool awaitNext(Bytes memory, uint32_t seen, bool isWorker, Sleeping& sleeping);

}  // namespace threads
