#include "server/live_accuracy/sampled_runner.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <new>
#include <utility>

#include "server/inference_payload.h"

namespace anybit::server {

int PredictedClass(std::span<const float> logits) {
  if (std::any_of(logits.begin(), logits.end(), [](float logit) { return std::isnan(logit); })) return -1;
  if (logits.empty()) return -1;
  return static_cast<int>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

SampledRunner::SampledRunner(scheduler::BatchRunner& runner, int64_t input_elements, int64_t output_elements, Take take)
    : runner_(runner),
      input_elements_(static_cast<size_t>(input_elements)),
      output_elements_(static_cast<size_t>(output_elements)),
      take_(std::move(take)),
      dones_(runner.slots()) {}

void SampledRunner::Run(int slot, scheduler::Batch batch, Done done) {
  dones_[slot] = std::move(done);
  busy_slots_.fetch_add(1, std::memory_order_relaxed);
  batches_.fetch_add(1, std::memory_order_relaxed);
  runner_.Run(slot, std::move(batch), [this, slot](scheduler::BatchResult result) { Finish(slot, std::move(result)); });
}

void SampledRunner::Want(PointId except) { wanted_except_ = ToIndex(except); }

void SampledRunner::Finish(int slot, scheduler::BatchResult result) {
  Done done = std::move(dones_[slot]);
  busy_slots_.fetch_sub(1, std::memory_order_relaxed);
  int except = wanted_except_.load(std::memory_order_relaxed);
  if (except != kNothing && result.status.ok() && ToIndex(result.batch.point) != except &&
      wanted_except_.compare_exchange_strong(except, kNothing)) {
    // Without memory there is no sample of this batch.
    if (!TakeSample(result)) wanted_except_ = except;
  }
  done(std::move(result));
}

bool SampledRunner::TakeSample(const scheduler::BatchResult& result) {
  // Another row of each batch, so that no place in it is preferred.
  size_t row = samples_.fetch_add(1, std::memory_order_relaxed) % static_cast<size_t>(result.batch.rows);
  for (const auto& member : result.batch.members) {
    const auto& payload = static_cast<const InferencePayload&>(*member);
    const size_t rows = payload.input.size() / input_elements_;
    if (row >= rows) {
      row -= rows;
      continue;
    }
    const std::span<const float> logits(payload.output.data() + row * output_elements_, output_elements_);
    try {
      take_({.point = result.batch.point,
             .input = payload.input.substr(row * input_elements_, input_elements_),
             .predicted = PredictedClass(logits)});
    } catch (const std::bad_alloc&) {
      return false;
    }
    return true;
  }
  return false;
}

}  // namespace anybit::server
