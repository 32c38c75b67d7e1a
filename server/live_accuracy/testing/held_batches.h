// A runner that keeps what it is given until the test ends it with outputs of its choice.
#ifndef ANYBIT_SERVER_LIVE_ACCURACY_TESTING_HELD_BATCHES_H_
#define ANYBIT_SERVER_LIVE_ACCURACY_TESTING_HELD_BATCHES_H_

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "scheduler/batch_runner.h"
#include "server/inference_payload.h"

namespace anybit::server::testing {

// A batch of one member for each of `inputs`.
inline scheduler::Batch BatchOf(int point, const std::vector<std::string>& inputs, int row_elements) {
  scheduler::Batch batch{.point = ToPointId(point)};
  for (const std::string& input : inputs) {
    auto payload = std::make_unique<InferencePayload>();
    payload->input = input;
    batch.rows += static_cast<int>(input.size()) / row_elements;
    batch.members.push_back(std::move(payload));
  }
  return batch;
}

class HeldBatches : public scheduler::BatchRunner {
 public:
  explicit HeldBatches(int slots) : held_(slots) {}

  int slots() const override { return static_cast<int>(held_.size()); }
  void Run(int slot, scheduler::Batch batch, Done done) override {
    held_[slot].emplace(std::move(batch), std::move(done));
  }

  // Ends the batch of a slot: `outputs` of each member.
  void Finish(int slot, const std::vector<std::vector<float>>& outputs, absl::Status status = absl::OkStatus()) {
    auto [batch, done] = *std::exchange(held_[slot], std::nullopt);
    for (size_t i = 0; i < outputs.size(); ++i) static_cast<InferencePayload&>(*batch.members[i]).output = outputs[i];
    done({.batch = std::move(batch), .status = std::move(status)});
  }

 private:
  std::vector<std::optional<std::pair<scheduler::Batch, Done>>> held_;
};

}  // namespace anybit::server::testing

#endif  // ANYBIT_SERVER_LIVE_ACCURACY_TESTING_HELD_BATCHES_H_
