#include "server/testing/sum_network.h"

#include <memory>
#include <numeric>
#include <span>
#include <utility>

#include "absl/status/status.h"

namespace anybit::server::testing {

SumNetwork::SumNetwork(BeforeRun before_run, int64_t version) : before_run_(std::move(before_run)) {
  description_ = {.name = "sums",
                  .version = version,
                  .input = {.name = "image", .shape = {2, 2, 1}, .elements = 4},
                  .output = {.name = "logits", .shape = {3}, .elements = 3},
                  .labels = {"zero", "one", "two"},
                  .points = {{.name = "fp32", .weight_bits = 32, .activation_bits = 32, .accuracy = 0.93},
                             {.name = "w8a8", .weight_bits = 8, .activation_bits = 8, .accuracy = 0.92},
                             {.name = "w4a4f", .weight_bits = 4, .activation_bits = 4, .accuracy = 0.9},
                             {.name = "w1a1", .weight_bits = 1, .activation_bits = 1, .accuracy = 0.8}}};
}

std::unique_ptr<model::AdaptiveNetwork::Scratch> SumNetwork::MakeScratch(int max_rows) const {
  return std::make_unique<Scratch>();
}

absl::Status SumNetwork::Run(PointId point, std::span<const uint8_t> input, std::span<float> output, Scratch&) const {
  const size_t rows = input.size() / 4;
  if (input.size() != rows * 4 || output.size() != rows * 3) return absl::InvalidArgumentError("sizes do not fit");
  if (lost_) return Health();
  if (before_run_ != nullptr) {
    const absl::Status status = before_run_(ToIndex(point), static_cast<int>(rows));
    if (absl::IsDataLoss(status)) lost_ = true;
    if (!status.ok()) return status;
  }
  for (size_t row = 0; row < rows; ++row) {
    const auto codes = input.subspan(row * 4, 4);
    const float sum = static_cast<float>(std::accumulate(codes.begin(), codes.end(), 0));
    for (size_t k = 0; k < 3; ++k) output[row * 3 + k] = sum + 1000.0f * k + 0.25f * ToIndex(point);
  }
  return absl::OkStatus();
}

absl::Status SumNetwork::Health() const { return lost_ ? absl::DataLossError("the sums are lost") : absl::OkStatus(); }

}  // namespace anybit::server::testing
