#include "server/live_accuracy/live_accuracy.h"

#include <algorithm>
#include <memory>
#include <utility>

namespace anybit::server {
namespace {

// However small the share is.
constexpr Duration kLongestRest = std::chrono::hours(1);

}  // namespace

std::optional<PointId> ReferencePoint(const model::NetworkDescription& network) {
  if (network.points.size() < 2) return std::nullopt;
  const auto best = std::max_element(network.points.begin(), network.points.end(),
                                     [](const auto& one, const auto& two) { return one.accuracy < two.accuracy; });
  return ToPointId(static_cast<int>(best - network.points.begin()));
}

LiveAccuracy::LiveAccuracy(scheduler::BatchRunner& runner, scheduler::EventLoop& loop,
                           const model::NetworkDescription& network, PointId reference, double share,
                           RunAgain run_again, Report report)
    : loop_(loop),
      reference_(reference),
      share_(share),
      run_again_(std::move(run_again)),
      report_(std::move(report)),
      sampled_(runner, network.input.elements, network.output.elements, [this](RowSample sample) {
        loop_.Post([this, sample = std::make_unique<RowSample>(std::move(sample))] {
          sample_ = std::move(*sample);
          RunWhenIdle();
        });
      }) {
  sampled_.Want(reference_);
}

void LiveAccuracy::RunWhenIdle() {
  if (sampled_.busy_slots() > 0) return RetryLater();
  loop_.PostAt(SaturatingAdd(loop_.Now(), kQuiet), [this, batches = sampled_.batches()] { RunIfQuiet(batches); });
}

// If no batch has begun since there were so many.
void LiveAccuracy::RunIfQuiet(int64_t batches) { sampled_.batches() == batches ? RunSample() : RetryLater(); }

void LiveAccuracy::RetryLater() {
  loop_.PostAt(SaturatingAdd(loop_.Now(), kRetry), [this] { RunWhenIdle(); });
}

void LiveAccuracy::RunSample() {
  run_again_(std::move(sample_.input), [this, now = loop_.Now()](absl::StatusOr<int> predicted) {
    loop_.Post([this, now, predicted = std::move(predicted)] { Compare(now, predicted); });
  });
}

void LiveAccuracy::Compare(MonoTime started, const absl::StatusOr<int>& predicted) {
  const MonoTime now = loop_.Now();
  const double seconds = std::min(ToSeconds(now - started) * (1 / share_ - 1), ToSeconds(kLongestRest));
  Duration rest = std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
  if (predicted.ok()) {
    report_(sample_.point, *predicted == sample_.predicted);
  } else {
    rest = std::max(rest, kRestAfterFailure);
  }
  loop_.PostAt(SaturatingAdd(now, rest), [this] { sampled_.Want(reference_); });
}

}  // namespace anybit::server
