// A network small enough to compute in one's head: every row's logits tell its codes, its operating point and nothing
// of its neighbours.
#ifndef ANYBIT_SERVER_TESTING_SUM_NETWORK_H_
#define ANYBIT_SERVER_TESTING_SUM_NETWORK_H_

#include <atomic>
#include <functional>
#include <memory>
#include <span>

#include "model/engine/adaptive_network.h"

namespace anybit::server::testing {

// Input "image" {2, 2, 1}, output "logits" {3}; labels "zero", "one", "two". Row with codes a, b, c, d at point p:
// logit k = a + b + c + d + 1000 * k + 0.25 * p. The points are fp32 (93 %), w8a8 (92 %), w4a4f (90 %), w1a1 (80 %).
class SumNetwork : public model::AdaptiveNetwork {
 public:
  // Called at the start of each run with point and rows; a Status other than OK fails the run. DataLoss: the network is
  // lost, as by its device, and no later run succeeds.
  using BeforeRun = std::function<absl::Status(int point, int rows)>;

  static constexpr int kFp32 = 0, kW8a8 = 1, kW4a4f = 2, kW1a1 = 3;

  explicit SumNetwork(BeforeRun before_run = nullptr, int64_t version = 7);

  const model::NetworkDescription& description() const override { return description_; }
  std::unique_ptr<Scratch> MakeScratch(int max_rows) const override;
  absl::Status Run(PointId point, std::span<const uint8_t> input, std::span<float> output,
                   Scratch& scratch) const override;
  absl::Status Health() const override;

 private:
  model::NetworkDescription description_;
  BeforeRun before_run_;
  mutable std::atomic<bool> lost_ = false;  // the threads that run write it; any reads it
};

}  // namespace anybit::server::testing

#endif  // ANYBIT_SERVER_TESTING_SUM_NETWORK_H_
