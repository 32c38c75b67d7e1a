// Zeroed memory aligned to a cache line, for vector loads: panels, feature maps, workspaces.
#ifndef ANYBIT_MODEL_KERNELS_ALIGNED_BUFFER_H_
#define ANYBIT_MODEL_KERNELS_ALIGNED_BUFFER_H_

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <utility>

namespace anybit::model {

class AlignedBuffer {
 public:
  static constexpr size_t kAlignment = 64;

  AlignedBuffer() = default;
  explicit AlignedBuffer(size_t bytes)
      : data_(static_cast<uint8_t*>(::operator new(bytes, AlignmentOf(bytes)))), bytes_(bytes) {
    // A hint; without it pages are small.
    if (bytes >= kLargePage) madvise(data_, bytes, MADV_HUGEPAGE);
    std::memset(data_, 0, bytes);
  }
  AlignedBuffer(AlignedBuffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  AlignedBuffer& operator=(AlignedBuffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~AlignedBuffer() { ::operator delete(data_, AlignmentOf(bytes_)); }

  uint8_t* data() { return data_; }
  const uint8_t* data() const { return data_; }
  size_t bytes() const { return bytes_; }

  template <class T>
  T* as() {
    return reinterpret_cast<T*>(data_);
  }
  template <class T>
  const T* as() const {
    return reinterpret_cast<const T*>(data_);
  }

 private:
  // Every group of tiles reads panels of megabytes from end to end: large pages avoid a page table walk for each 4 KiB.
  static constexpr size_t kLargePage = size_t{2} << 20;

  static std::align_val_t AlignmentOf(size_t bytes) {
    return std::align_val_t{bytes >= kLargePage ? kLargePage : kAlignment};
  }

  uint8_t* data_ = nullptr;
  size_t bytes_ = 0;
};

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_KERNELS_ALIGNED_BUFFER_H_
