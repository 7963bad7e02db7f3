/**
 * The module that Node loads: runs programs of the wasm engine on that engine's memory. `src/engines/native/addon.ts` says what its functions take and return.
 *
 * The memory's start never moves: V8 reserves the addresses of a shared memory up to its maximum. A kernel that is not here is executed by the thread's own wasm instance.
 */
#define NAPI_VERSION 8
#include <node_api.h>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include "instructionSet.generated.h"
#include "kernelTable.h"
#include "threads.h"
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

namespace {

constexpr uint32_t whole = 65536;

/** What the processor can do, in the order of `instructionSets`. */
bool canRun(const char* name) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (strcmp(name, "sse41") == 0) return __builtin_cpu_supports("sse4.1");
  if (strcmp(name, "avx2") == 0) return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (strcmp(name, "avx512") == 0) {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vnni");
  }
  return false;
#else
  (void)name;
  return true;
#endif
}

/** The widest set that the processor has, or the one of that name; null when there is none. */
const InstructionSet* chooseInstructionSet(const char* wanted) {
  for (uint32_t index = instructionSetCount; index-- > 0;) {
    const InstructionSet& set = instructionSets[index];
    if (wanted[0] != 0 && strcmp(set.name, wanted) != 0) continue;
    if (canRun(set.name)) return &set;
  }
  return nullptr;
}

/** One thread's view of an engine. */
struct Session {
  Bytes memory;
  const Kernel* kernels;
  /** The memory's buffer, and the functions of JavaScript: kept alive. */
  napi_ref buffer;
  napi_ref execute;
  napi_ref sleep;
  napi_ref wake;
};

/** Calls of JavaScript from within one call of a function of this module. */
class Caller final : public threads::Sleeping {
 public:
  Caller(napi_env env, const Session& session) : env(env), session(session) {}

  bool sleep(uint32_t seen) override {
    const uint32_t argument[] = {seen};
    return call(session.sleep, argument, 1);
  }

  void wake() override { call(session.wake, nullptr, 0); }

  /** False when JavaScript threw, or the thread is being ended. */
  bool execute(uint32_t instruction, uint32_t scratch, uint32_t from, uint32_t until) {
    const Kernel kernel = session.kernels[*reinterpret_cast<const uint32_t*>(session.memory + instruction)];
    if (kernel != nullptr) {
      kernel(session.memory, instruction, scratch, from, until);
      return true;
    }
    const uint32_t words[] = {instruction, scratch, from, until};
    return call(session.execute, words, 4);
  }

 private:
  napi_env env;
  const Session& session;

  bool call(napi_ref reference, const uint32_t* words, size_t count) {
    napi_handle_scope scope;
    if (napi_open_handle_scope(env, &scope) != napi_ok) return false;
    napi_value function, global, result;
    napi_value parameters[4];
    bool good = napi_get_reference_value(env, reference, &function) == napi_ok && napi_get_global(env, &global) == napi_ok;
    for (size_t index = 0; good && index < count; index++) good = napi_create_uint32(env, words[index], &parameters[index]) == napi_ok;
    good = good && napi_call_function(env, global, function, count, parameters, &result) == napi_ok;
    napi_close_handle_scope(env, scope);
    return good;
  }
};

/** Does a share of every instruction until the program is over. Returns false when the thread is being ended; else `*over` is the generation at which it was. */
bool takePart(const Session& session, Caller& caller, uint32_t thread, uint32_t* over) {
  const Bytes memory = session.memory;
  // For which generation the scratch is ready: none of those to come.
  uint32_t prepared = threads::currentGeneration(memory) - 1;
  while (true) {
    const uint32_t generation = threads::currentGeneration(memory);
    const threads::Job job = threads::currentJob(memory);
    const uint32_t index = generation - job.firstGeneration;
    *over = generation;
    if (index >= job.count || threads::isStopped(memory)) return true;
    const uint32_t instruction = job.program + index * Size::instruction;
    const uint32_t scratch = job.scratch + thread * job.scratchStride;
    for (uint32_t units = threads::claim(memory, thread, job.threads, generation); units != 0; units = threads::claim(memory, thread, job.threads, generation)) {
      if (prepared != generation) *reinterpret_cast<uint32_t*>(memory + scratch) = 0;
      prepared = generation;
      const uint32_t from = threads::unitStart(units >> 16, job.threads);
      const uint32_t until = threads::unitStart(units & 0xffff, job.threads);
      if (!caller.execute(instruction, scratch + Size::prepared, from, until)) return false;
      threads::complete(memory, units, job.threads, generation, caller);
    }
    if (!threads::awaitNext(memory, generation, thread != 0, caller)) return false;
  }
}

napi_value fail(napi_env env, const char* message) {
  bool pending = false;
  napi_is_exception_pending(env, &pending);
  if (!pending) napi_throw_error(env, nullptr, message);
  return nullptr;
}

void closeSession(napi_env env, void* data, void*) {
  Session* session = static_cast<Session*>(data);
  for (napi_ref reference : {session->buffer, session->execute, session->sleep, session->wake}) napi_delete_reference(env, reference);
  free(session);
}

/** open(memory: Uint8Array, instructionSet: string, execute, sleep, wake): session */
napi_value open(napi_env env, napi_callback_info info) {
  size_t count = 5;
  napi_value arguments[5];
  if (napi_get_cb_info(env, info, &count, arguments, nullptr, nullptr) != napi_ok || count != 5) return fail(env, "open: five arguments are expected");
  void* memory = nullptr;
  size_t length = 0;
  char wanted[32] = "";
  if (napi_get_typedarray_info(env, arguments[0], nullptr, &length, &memory, nullptr, nullptr) != napi_ok || length < Size::control) {
    return fail(env, "open: no memory was given");
  }
  if (napi_get_value_string_utf8(env, arguments[1], wanted, sizeof wanted, nullptr) != napi_ok) return fail(env, "open: no instruction set was given");
  const InstructionSet* set = chooseInstructionSet(wanted);
  if (set == nullptr) return fail(env, "the processor lacks the instructions");
  Session* session = static_cast<Session*>(calloc(1, sizeof(Session)));
  if (session == nullptr) return fail(env, "open: out of memory");
  session->memory = static_cast<Bytes>(memory);
  session->kernels = set->kernels;
  napi_ref* references[] = {&session->execute, &session->sleep, &session->wake};
  bool good = napi_create_reference(env, arguments[0], 1, &session->buffer) == napi_ok;
  for (int index = 0; good && index < 3; index++) good = napi_create_reference(env, arguments[index + 2], 1, references[index]) == napi_ok;
  napi_value handle;
  if (!good || napi_create_external(env, session, closeSession, nullptr, &handle) != napi_ok) return fail(env, "open: the session cannot be kept");
  return handle;
}

Session* sessionOf(napi_env env, napi_value value) {
  void* data = nullptr;
  return napi_get_value_external(env, value, &data) == napi_ok ? static_cast<Session*>(data) : nullptr;
}

/** run(session, program, count, scratch, scratchStride, threads) */
napi_value run(napi_env env, napi_callback_info info) {
  size_t count = 6;
  napi_value arguments[6];
  uint32_t words[5];
  if (napi_get_cb_info(env, info, &count, arguments, nullptr, nullptr) != napi_ok || count != 6) return fail(env, "run: six arguments are expected");
  Session* session = sessionOf(env, arguments[0]);
  if (session == nullptr) return fail(env, "run: no session was given");
  for (int index = 0; index < 5; index++) {
    if (napi_get_value_uint32(env, arguments[index + 1], &words[index]) != napi_ok) return fail(env, "run: numbers are expected");
  }
  const threads::Job job = {words[0], words[1], words[2], words[3], words[4], 0};
  Caller caller(env, *session);
  if (job.threads > 1) {
    uint32_t over;
    threads::announce(session->memory, job, caller);
    if (!takePart(*session, caller, 0, &over)) return fail(env, "run: interrupted");
    return nullptr;
  }
  for (uint32_t index = 0; index < job.count; index++) {
    *reinterpret_cast<uint32_t*>(session->memory + job.scratch) = 0;
    const uint32_t instruction = job.program + index * Size::instruction;
    if (!caller.execute(instruction, job.scratch + Size::prepared, 0, whole)) return fail(env, "run: interrupted");
  }
  return nullptr;
}

/** work(session, thread): a worker's life. */
napi_value work(napi_env env, napi_callback_info info) {
  size_t count = 2;
  napi_value arguments[2];
  uint32_t thread;
  if (napi_get_cb_info(env, info, &count, arguments, nullptr, nullptr) != napi_ok || count != 2) return fail(env, "work: two arguments are expected");
  Session* session = sessionOf(env, arguments[0]);
  if (session == nullptr || napi_get_value_uint32(env, arguments[1], &thread) != napi_ok) return fail(env, "work: a session and a number are expected");
  Caller caller(env, *session);
  while (!threads::isStopped(session->memory)) {
    uint32_t over;
    if (!takePart(*session, caller, thread, &over) || !threads::awaitNext(session->memory, over, true, caller)) return nullptr;
  }
  return nullptr;
}

/** stop(session): ends the life of every worker. */
napi_value stop(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value argument;
  if (napi_get_cb_info(env, info, &count, &argument, nullptr, nullptr) != napi_ok || count != 1) return fail(env, "stop: one argument is expected");
  Session* session = sessionOf(env, argument);
  if (session == nullptr) return fail(env, "stop: no session was given");
  Caller caller(env, *session);
  threads::stop(session->memory, caller);
  return nullptr;
}

/** protect(session, address, length, forbidden): with the address sanitiser native code may touch these bytes no more, or again; without it nothing happens. */
napi_value protect(napi_env env, napi_callback_info info) {
  size_t count = 4;
  napi_value arguments[4];
  uint32_t address;
  double length;
  bool forbidden;
  if (napi_get_cb_info(env, info, &count, arguments, nullptr, nullptr) != napi_ok || count != 4) return fail(env, "protect: four arguments are expected");
  Session* session = sessionOf(env, arguments[0]);
  if (session == nullptr || napi_get_value_uint32(env, arguments[1], &address) != napi_ok || napi_get_value_double(env, arguments[2], &length) != napi_ok ||
      napi_get_value_bool(env, arguments[3], &forbidden) != napi_ok) {
    return fail(env, "protect: a session, an address, a length and true or false are expected");
  }
#if defined(__SANITIZE_ADDRESS__)
  if (forbidden) {
    ASAN_POISON_MEMORY_REGION(session->memory + address, static_cast<size_t>(length));
  } else {
    ASAN_UNPOISON_MEMORY_REGION(session->memory + address, static_cast<size_t>(length));
  }
#endif
  return nullptr;
}

napi_value textOf(napi_env env, const char* text) {
  napi_value value = nullptr;
  napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &value);
  return value;
}

void define(napi_env env, napi_value exports, const char* name, napi_callback callback) {
  napi_value function;
  if (napi_create_function(env, name, NAPI_AUTO_LENGTH, callback, nullptr, &function) == napi_ok) napi_set_named_property(env, exports, name, function);
}

}  // namespace

NAPI_MODULE_INIT() {
  define(env, exports, "open", open);
  define(env, exports, "run", run);
  define(env, exports, "work", work);
  define(env, exports, "stop", stop);
  define(env, exports, "protect", protect);
  napi_value sanitised;
#if defined(__SANITIZE_ADDRESS__)
  napi_get_boolean(env, true, &sanitised);
#else
  napi_get_boolean(env, false, &sanitised);
#endif
  napi_set_named_property(env, exports, "sanitised", sanitised);
  napi_set_named_property(env, exports, "revision", textOf(env, revision));
  // Those that this processor can run, the widest last.
  napi_value sets, kernels;
  uint32_t found = 0;
  napi_create_array(env, &sets);
  for (uint32_t index = 0; index < instructionSetCount; index++) {
    if (canRun(instructionSets[index].name)) napi_set_element(env, sets, found++, textOf(env, instructionSets[index].name));
  }
  napi_set_named_property(env, exports, "instructionSets", sets);
  found = 0;
  napi_create_array(env, &kernels);
  for (uint32_t opcode = 0; opcode < kernelCount; opcode++) {
    if (instructionSets[0].kernels[opcode] != nullptr) napi_set_element(env, kernels, found++, textOf(env, kernelNames[opcode]));
  }
  napi_set_named_property(env, exports, "kernels", kernels);
  return exports;
}
