// One fuzz target: a file that defines this function, libFuzzer's entry point (LLVM's documentation, "libFuzzer").
#ifndef ANYBIT_TESTS_FUZZ_FUZZ_TARGET_H_
#define ANYBIT_TESTS_FUZZ_FUZZ_TARGET_H_

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

// Gives the bytes to the code under test and aborts where it breaks its contract. Returns 0.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace anybit {

// What the code under test promises. On failure the process aborts: libFuzzer keeps the input, a test fails.
inline void Require(bool promise, const char* what) {
  if (promise) return;
  std::fprintf(stderr, "broken promise: %s\n", what);
  std::abort();
}

}  // namespace anybit

#endif  // ANYBIT_TESTS_FUZZ_FUZZ_TARGET_H_
