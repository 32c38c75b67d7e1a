#include "model/kernels/kernel_table.h"

#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace anybit {
namespace {

// Every table that is built runs the same cases.
class KernelTableTest : public testing::TestWithParam<const KernelTable*> {
 protected:
  // Extreme operands half of the time: the ends of the range are where a kernel overflows.
  int Draw(int lo, int hi) {
    const uint64_t r = random_();
    if (r % 4 == 0) return lo;
    if (r % 4 == 1) return hi;
    return lo + static_cast<int>((r >> 8) % (hi - lo + 1));
  }

  std::mt19937_64 random_{7};
};

constexpr int64_t kDepths[] = {1, 7, 9, 16, 63, 64, 576, 2305};
constexpr int64_t kOutputs[] = {1, 2, 3, 10, 16, 65};

TEST_P(KernelTableTest, MultipliesCodesExactly) {
  for (int64_t depth : kDepths) {
    for (int64_t outputs : kOutputs) {
      for (int count = 1; count <= kPatchGroup; ++count) {
        std::vector<int16_t> patches(count * depth), weights(outputs * depth);
        for (int16_t& p : patches) p = static_cast<int16_t>(Draw(0, 255));
        for (int16_t& w : weights) w = static_cast<int16_t>(Draw(-128, 127));
        std::vector<int32_t> sums(count * outputs, -1);
        GetParam()->multiply_codes(patches.data(), count, weights.data(), outputs, depth, sums.data());
        for (int p = 0; p < count; ++p) {
          for (int64_t o = 0; o < outputs; ++o) {
            int32_t expected = 0;
            for (int64_t d = 0; d < depth; ++d) expected += patches[p * depth + d] * weights[o * depth + d];
            ASSERT_EQ(sums[p * outputs + o], expected) << "depth " << depth << " outputs " << outputs << " count " << count;
          }
        }
      }
    }
  }
}

TEST_P(KernelTableTest, MultipliesSignsExactly) {
  for (int planes : {1, 2}) {
    for (int64_t words : {1, 2, 9, 28, 29, 57, 100}) {
      for (int64_t outputs : kOutputs) {
        const int count = 1 + static_cast<int>(words % kPatchGroup);
        const int64_t depth = words * 64 - 5;
        std::vector<int> codes(count * depth), signs(outputs * depth);
        std::vector<uint64_t> patches(count * planes * words), weights(outputs * words);
        for (int p = 0; p < count; ++p) {
          for (int64_t d = 0; d < depth; ++d) {
            const int code = codes[p * depth + d] = Draw(0, (1 << planes) - 1);
            for (int i = 0; i < planes; ++i) {
              patches[(p * planes + i) * words + d / 64] |= static_cast<uint64_t>(code >> i & 1) << d % 64;
            }
          }
        }
        for (int64_t o = 0; o < outputs; ++o) {
          for (int64_t d = 0; d < depth; ++d) {
            const int sign = signs[o * depth + d] = Draw(0, 1) == 1 ? 1 : -1;
            if (sign > 0) weights[o * words + d / 64] |= uint64_t{1} << d % 64;
          }
        }
        std::vector<int32_t> sums(count * outputs, -1);
        GetParam()->multiply_signs(patches.data(), count, planes, weights.data(), outputs, words, sums.data());
        for (int p = 0; p < count; ++p) {
          for (int64_t o = 0; o < outputs; ++o) {
            int32_t expected = 0;
            for (int64_t d = 0; d < depth; ++d) expected += codes[p * depth + d] * signs[o * depth + d];
            ASSERT_EQ(sums[p * outputs + o], expected) << "words " << words << " outputs " << outputs << " planes " << planes;
          }
        }
      }
    }
  }
}

TEST_P(KernelTableTest, SumsFloatsInAscendingOrder) {
  for (int64_t depth : kDepths) {
    for (int64_t groups : {1, 2, 8}) {
      for (int count = 1; count <= kPatchGroup; ++count) {
        std::vector<float> patches(count * depth), weights(groups * depth * kFloatGroup);
        for (float& p : patches) p = static_cast<float>(Draw(0, 1000)) / 256;
        for (float& w : weights) w = static_cast<float>(Draw(-1000, 1000)) / 1000;
        std::vector<float> sums(count * groups * kFloatGroup, -1);
        GetParam()->multiply_floats(patches.data(), count, weights.data(), groups, depth, sums.data());
        for (int p = 0; p < count; ++p) {
          for (int64_t o = 0; o < groups * kFloatGroup; ++o) {
            float expected = 0;
            for (int64_t d = 0; d < depth; ++d) {
              const volatile float product =
                  patches[p * depth + d] * weights[(o / kFloatGroup * depth + d) * kFloatGroup + o % kFloatGroup];
              expected += product;
            }
            ASSERT_EQ(sums[p * groups * kFloatGroup + o], expected) << "depth " << depth << " count " << count;
          }
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, KernelTableTest, testing::Values(&PortableKernels()),
                         [](const auto& info) { return std::string(info.param->name); });

}  // namespace
}  // namespace anybit
