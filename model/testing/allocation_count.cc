#include "model/testing/allocation_count.h"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>

namespace anybit::model {
namespace {

std::atomic<int64_t> process_allocations = 0;  // all threads
thread_local int64_t thread_allocations = 0;

void* Counted(void* memory) {
  if (memory == nullptr) std::abort();
  ++process_allocations;
  ++thread_allocations;
  return memory;
}

}  // namespace

int64_t AllocationsOfProcess() { return process_allocations; }
int64_t AllocationsOfThread() { return thread_allocations; }

}  // namespace anybit::model

// The library's other forms call these.
void* operator new(size_t bytes) { return anybit::model::Counted(std::malloc(std::max<size_t>(bytes, 1))); }
void* operator new(size_t bytes, std::align_val_t alignment) {
  const size_t step = static_cast<size_t>(alignment);
  return anybit::model::Counted(std::aligned_alloc(step, std::max(bytes + step - 1, step) / step * step));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, size_t, std::align_val_t) noexcept { std::free(memory); }
