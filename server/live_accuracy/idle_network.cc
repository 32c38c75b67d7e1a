#include "server/live_accuracy/idle_network.h"

#include <sched.h>

#include <exception>
#include <new>
#include <span>
#include <utility>

#include "absl/time/time.h"
#include "server/live_accuracy/sampled_runner.h"

namespace anybit::server {

IdleNetwork::IdleNetwork(const model::AdaptiveNetwork& network, PointId point, Duration pause)
    : network_(network), point_(point), pause_(pause), thread_([this] { Work(); }) {}

IdleNetwork::~IdleNetwork() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  thread_.join();
}

void IdleNetwork::Run(std::string input, Done done) {
  absl::MutexLock lock(&mutex_);
  job_.emplace(Job{std::move(input), std::move(done)});
}

void IdleNetwork::Work() {
  // Threads that the network makes for the runs inherit it. Where the system refuses, the thread is an ordinary one,
  // and still works only while no slot does.
  const sched_param priority{};
  (void)sched_setscheduler(0, SCHED_IDLE, &priority);
  while (true) {
    std::optional<Job> job;
    {
      absl::MutexLock lock(&mutex_);
      const auto is_due = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return stopping_ || job_.has_value(); };
      mutex_.Await(absl::Condition(&is_due));
      if (stopping_) return;
      job = std::exchange(job_, std::nullopt);
    }
    Tell(*job);
  }
}

// Nobody asks for a further row before this one is reported.
void IdleNetwork::Tell(Job& job) {
  const absl::StatusOr<int> predicted = Predict(job.input);
  while (true) {
    try {
      return job.done(predicted);
    } catch (const std::bad_alloc&) {
      absl::MutexLock lock(&mutex_);
      if (mutex_.AwaitWithTimeout(absl::Condition(&stopping_), absl::FromChrono(pause_))) return;
    }
  }
}

absl::StatusOr<int> IdleNetwork::Predict(const std::string& input) {
  if (!network_.IsPrepared(point_)) return absl::FailedPreconditionError("the operating point is not prepared");
  try {
    if (scratch_ == nullptr) {
      output_.resize(static_cast<size_t>(network_.description().output.elements));
      scratch_ = network_.MakeScratch(1);
    }
    const std::span<const uint8_t> codes(reinterpret_cast<const uint8_t*>(input.data()), input.size());
    if (absl::Status status = network_.Run(point_, codes, output_, *scratch_); !status.ok()) return status;
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError("");  // a text would take memory
  } catch (const std::exception& error) {
    return absl::InternalError(error.what());
  }
  return PredictedClass(output_);
}

}  // namespace anybit::server
