// A block of a kernel on the host: all threads of a phase one after the other, the tensor cores by definition.
//
// A phase is one EachThread, EachLane or Multiply; a body never depends on the order of threads within one. Two orders
// (forwards with copies done as late as allowed, backwards with copies done at once) show bodies that do.
#ifndef ANYBIT_MODEL_KERNELS_CUDA_TESTING_HOST_BLOCK_H_
#define ANYBIT_MODEL_KERNELS_CUDA_TESTING_HOST_BLOCK_H_

#include <cstdint>
#include <cstring>
#include <deque>
#include <memory>
#include <vector>

#include "model/kernels/cuda/calls.h"
#include "model/kernels/cuda/portable.h"

namespace anybit::model::cuda {

enum class Schedule : uint8_t { kForwardsLateCopies, kBackwardsEarlyCopies };

inline constexpr int kMaxHostThreads = 512;

// The product of two 32-bit words of `operand`.
inline int32_t ProductOfWords(Operand operand, uint32_t a, uint32_t b) {
  int32_t sum = 0;
  switch (operand) {
    case Operand::kBytes:
      for (int i = 0; i < 32; i += 8) sum += static_cast<int>(a >> i & 255) * static_cast<int8_t>(b >> i & 255);
      break;
    case Operand::kNibbles:
      for (int i = 0; i < 32; i += 4) {
        const int weight = static_cast<int>(b >> i & 15);
        sum += static_cast<int>(a >> i & 15) * (weight > 7 ? weight - 16 : weight);
      }
      break;
    case Operand::kBitsAnd: sum = __builtin_popcount(a & b); break;
    case Operand::kBitsXor: sum = __builtin_popcount(a ^ b); break;
    case Operand::kFloats:
    case Operand::kBfloat16: break;  // sums of floats
  }
  return sum;
}

// Eight words of a row or a column, unpacked once for all products that they take part in.
template <Operand kOperand>
struct Values {
  static constexpr bool kBits = kOperand == Operand::kBitsAnd || kOperand == Operand::kBitsXor;
  static constexpr int kPerWord = kBits ? 1 : kOperand == Operand::kNibbles ? 8 : 4;

  void Set(int word, uint32_t packed, bool is_signed) {
    if constexpr (kBits) {
      values[word] = static_cast<int32_t>(packed);
    } else {
      constexpr int kWidth = 32 / kPerWord;
      for (int i = 0; i < kPerWord; ++i) {
        const auto value = static_cast<int32_t>(packed >> (kWidth * i) & ((1u << kWidth) - 1));
        values[word * kPerWord + i] = is_signed && value >> (kWidth - 1) != 0 ? value - (1 << kWidth) : value;
      }
    }
  }
  int32_t Times(const Values& other) const {
    int32_t sum = 0;
    for (int i = 0; i < 8 * kPerWord; ++i) {
      if constexpr (kBits) {
        const auto a = static_cast<uint32_t>(values[i]), b = static_cast<uint32_t>(other.values[i]);
        sum += __builtin_popcount(kOperand == Operand::kBitsAnd ? a & b : a ^ b);
      } else {
        sum += values[i] * other.values[i];
      }
    }
    return sum;
  }

  int32_t values[8 * kPerWord];
};

// Two bfloat16 numbers a word. Their products are floats, whose sums may take any order.
template <>
struct Values<Operand::kBfloat16> {
  void Set(int word, uint32_t packed, bool) {
    values[2 * word] = FloatOf(packed << 16);
    values[2 * word + 1] = FloatOf(packed & 0xffff0000u);
  }
  float Times(const Values& other) const {
    float sum = 0;
    for (int i = 0; i < 16; ++i) sum += values[i] * other.values[i];
    return sum;
  }

  float values[16];
};

class HostBlock {
 public:
  // A thread's own value.
  template <class T>
  class PerThread {
   public:
    T& operator[](int thread) { return values_[thread]; }

   private:
    // Like registers, they begin with any contents.
    std::unique_ptr<T[]> values_{new T[kMaxHostThreads]};
  };
  template <class Sum>
  struct Registers {
    Sum* c;
    const uint32_t* a;
    const uint32_t* b;
  };

  HostBlock(int64_t index, int threads, Schedule schedule) : index_(index), threads_(threads), schedule_(schedule) {}

  int64_t index() const { return index_; }

  template <class Work>
  void EachThread(const Work& work) {
    InOrder(0, threads_, work);
  }
  template <class Work>
  void EachWarp(const Work& work) {
    InOrder(0, threads_ / 32, work);
  }
  template <class Work>
  void EachLane(int warp, const Work& work) {
    InOrder(warp * 32, warp * 32 + 32, work);
  }
  void Barrier() {}

  template <int kWords>
  void CopyWords(uint32_t* to, const uint32_t* from, bool valid) {
    Copy copy{.to = to, .words = kWords};
    if (valid) std::memcpy(copy.values, from, kWords * 4);
    if (schedule_ == Schedule::kBackwardsEarlyCopies) {
      Finish(copy);
    } else {
      groups_.back().push_back(copy);
    }
  }
  void CommitCopies() { groups_.emplace_back(); }
  // Until at most kGroups committed groups are on their way.
  template <int kGroups>
  void AwaitCopies() {
    while (groups_.size() > kGroups + 1) {
      for (const Copy& copy : groups_.front()) Finish(copy);
      groups_.pop_front();
    }
  }

  // mma.m16n8 with the fragments of conv_body.h; of_thread(thread) gives a lane's registers.
  template <Operand kOperand, class OfThread>
  void Multiply(int warp, const OfThread& of_thread) {
    decltype(of_thread(0)) lanes[32];
    for (int lane = 0; lane < 32; ++lane) lanes[lane] = of_thread(warp * 32 + lane);
    Values<kOperand> rows[16], columns[8];
    for (int row = 0; row < 16; ++row) {
      for (int word = 0; word < 8; ++word) {
        rows[row].Set(word, lanes[row % 8 * 4 + word % 4].a[row / 8 + 2 * (word / 4)], false);
      }
    }
    for (int column = 0; column < 8; ++column) {
      for (int word = 0; word < 8; ++word) columns[column].Set(word, lanes[column * 4 + word % 4].b[word / 4], true);
    }
    for (int row = 0; row < 16; ++row) {
      for (int column = 0; column < 8; ++column) {
        auto& c = lanes[row % 8 * 4 + column / 2].c[row / 8 * 2 + column % 2];
        if constexpr (kOperand == Operand::kBfloat16) {
          c += rows[row].Times(columns[column]);
        } else {  // may wrap
          c = static_cast<int32_t>(static_cast<uint32_t>(c) + static_cast<uint32_t>(rows[row].Times(columns[column])));
        }
      }
    }
  }

  // Gives every lane the sum over its quad, or over its warp.
  template <class OfThread>
  void SumOverQuads(const OfThread& of_thread) {
    for (int first = 0; first < threads_; first += 4) SumOver(first, 4, of_thread);
  }
  template <class OfThread>
  void SumOverWarp(int warp, const OfThread& of_thread) {
    SumOver(warp * 32, 32, of_thread);
  }

 private:
  struct Copy {
    uint32_t* to;
    int words;
    uint32_t values[4] = {0, 0, 0, 0};
  };

  template <class Work>
  void InOrder(int first, int end, const Work& work) {
    if (schedule_ == Schedule::kBackwardsEarlyCopies) {
      for (int i = end - 1; i >= first; --i) work(i);
    } else {
      for (int i = first; i < end; ++i) work(i);
    }
  }
  template <class OfThread>
  static void SumOver(int first, int count, const OfThread& of_thread) {
    auto sum = of_thread(first);
    for (int i = 1; i < count; ++i) sum += of_thread(first + i);
    for (int i = 0; i < count; ++i) of_thread(first + i) = sum;
  }
  static void Finish(const Copy& copy) { std::memcpy(copy.to, copy.values, copy.words * 4); }

  const int64_t index_;
  const int threads_;
  const Schedule schedule_;
  std::deque<std::vector<Copy>> groups_ = {{}};  // the last one is not committed yet
};

}  // namespace anybit::model::cuda

#endif  // ANYBIT_MODEL_KERNELS_CUDA_TESTING_HOST_BLOCK_H_
