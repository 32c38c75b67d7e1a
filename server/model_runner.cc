#include "server/model_runner.h"

#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "server/inference_payload.h"

namespace anybit::server {
namespace {

// By how much the thread that yields is nicer than the ordinary one. Beside a thread of the edge it gets a quarter of
// a processor, and a whole one where the edge has nothing to do. On one core at three times the capacity, 49 % of the
// possible answers were in time at equal priority, and 89 to 97 % with this.
constexpr int kYieldingNice = 5;

}  // namespace

class ModelRunner::Slot {
 public:
  Slot(const model::AdaptiveNetwork& network, const scheduler::EventLoop& loop, const ModelRunnerOptions& options,
       ProcessorSet processors, SlotTurns::Slot* turns)
      : network_(network),
        loop_(loop),
        max_batch_(options.max_batch),
        on_network_lost_(options.on_network_lost),
        input_elements_(static_cast<size_t>(network.description().input.elements)),
        output_elements_(static_cast<size_t>(network.description().output.elements)),
        processors_(std::move(processors)),
        turns_(turns) {
    thread_ = std::thread([this] {
      if (Prepare()) Work(scheduler::BatchPriority::kEqual);
    });
    try {
      yielding_thread_ = std::thread([this] {
        ready_.WaitForNotification();
        PrepareToYield();
        Work(scheduler::BatchPriority::kBelowEdge);
      });
    } catch (...) {
      Stop();
      throw;
    }
  }

  ~Slot() { Stop(); }

  // Waits until the slot can run. Throws what its thread has thrown if it cannot.
  void WaitUntilReady() const {
    ready_.WaitForNotification();
    if (failure_ != nullptr) std::rethrow_exception(failure_);
    yielding_ready_.WaitForNotification();
  }

  // Once it can run.
  absl::Status pinning() const { return pinning_; }

  void Give(scheduler::Batch batch, Done done) {
    absl::MutexLock lock(&mutex_);
    jobs_.push_back({std::move(batch), std::move(done)});
  }

 private:
  struct Job {
    scheduler::Batch batch;
    Done done;
  };

  void Stop() {
    {
      absl::MutexLock lock(&mutex_);
      stopping_ = true;
    }
    for (std::thread* thread : {&thread_, &yielding_thread_}) {
      if (thread->joinable()) thread->join();
    }
  }

  // False if there is no memory, or no thread for the scratch.
  bool Prepare() {
    pinning_ = PinThisThread(processors_);
    try {
      input_.resize(max_batch_ * input_elements_);
      output_.resize(max_batch_ * output_elements_);
      scratch_ = network_.MakeScratch(max_batch_);
    } catch (...) {
      failure_ = std::current_exception();
    }
    ready_.Notify();
    return failure_ == nullptr;
  }

  void PrepareToYield() {
    pinning_.Update(PinThisThread(processors_));
    errno = 0;
    const int priority = getpriority(PRIO_PROCESS, 0);  // Linux: of this thread
    if (errno == 0) (void)setpriority(PRIO_PROCESS, 0, priority + kYieldingNice);
    yielding_ready_.Notify();
  }

  // Runs the batches of one priority.
  void Work(scheduler::BatchPriority priority) {
    while (std::optional<Job> job = Take(priority)) {
      scheduler::BatchResult result{.batch = std::move(job->batch)};
      result.started = loop_.Now();
      result.status = Compute(result.batch);
      result.finished = loop_.Now();
      {
        absl::MutexLock lock(&mutex_);
        running_ = false;
      }
      job->done(std::move(result));
    }
  }

  // The next job, if it is of this priority, or none when there will be no more.
  std::optional<Job> Take(scheduler::BatchPriority priority) {
    absl::MutexLock lock(&mutex_);
    const auto is_due = [this, priority]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      if (jobs_.empty()) return stopping_;
      return !running_ && jobs_.front().batch.priority == priority;
    };
    mutex_.Await(absl::Condition(&is_due));
    if (jobs_.empty()) return std::nullopt;
    Job job = std::move(jobs_.front());
    jobs_.erase(jobs_.begin());
    running_ = true;
    return job;
  }

  absl::Status Compute(const scheduler::Batch& batch) {
    const SlotTurns::Turn turn(turns_);
    if (absl::Status status = Gather(batch); !status.ok()) return status;
    const std::span<const uint8_t> input(input_.data(), batch.rows * input_elements_);
    const std::span<float> output(output_.data(), batch.rows * output_elements_);
    absl::Status status;
    try {
      status = network_.Run(batch.point, input, output, *scratch_);
    } catch (const std::exception& error) {
      status = absl::InternalError(error.what());
    }
    if (!status.ok()) {
      if (const absl::Status health = network_.Health(); !health.ok() && on_network_lost_) on_network_lost_(health);
      // Whatever the network calls it, the request was checked before: the fault is ours, not the client's.
      return absl::InternalError(absl::StrCat("the network failed: ", status.message()));
    }
    Scatter(batch);
    return absl::OkStatus();
  }

  absl::Status Gather(const scheduler::Batch& batch) {
    if (batch.rows < 1 || batch.rows > max_batch_) {
      return absl::InternalError(absl::StrCat("batch of ", batch.rows, " rows is not from 1 to ", max_batch_));
    }
    size_t used = 0;
    const size_t wanted = batch.rows * input_elements_;
    for (const auto& member : batch.members) {
      const auto& payload = static_cast<const InferencePayload&>(*member);
      if (payload.input.size() > wanted - used || payload.input.size() % input_elements_ != 0) break;
      std::memcpy(input_.data() + used, payload.input.data(), payload.input.size());
      used += payload.input.size();
    }
    if (used != wanted) {
      return absl::InternalError(
          absl::StrCat("batch of ", batch.rows, " rows has members of ", used, " bytes instead of ", wanted));
    }
    return absl::OkStatus();
  }

  void Scatter(const scheduler::Batch& batch) {
    auto next = output_.begin();
    for (const auto& member : batch.members) {
      auto& payload = static_cast<InferencePayload&>(*member);
      const auto end = next + payload.input.size() / input_elements_ * output_elements_;
      payload.output.assign(next, end);  // into memory that came with the request
      next = end;
    }
  }

  const model::AdaptiveNetwork& network_;
  const scheduler::EventLoop& loop_;
  const int max_batch_;
  const std::function<void(const absl::Status&)> on_network_lost_;
  const size_t input_elements_;
  const size_t output_elements_;
  const ProcessorSet processors_;
  SlotTurns::Slot* const turns_;

  // The thread that runs a batch only.
  std::vector<uint8_t> input_;
  std::vector<float> output_;
  std::unique_ptr<model::AdaptiveNetwork::Scratch> scratch_;

  absl::Status pinning_;               // fixed once both threads are ready
  std::exception_ptr failure_;         // of the ordinary thread, fixed once it is ready; null: it can run
  absl::Notification ready_;           // of the ordinary thread
  absl::Notification yielding_ready_;  // of the other, which waits for the first

  absl::Mutex mutex_;
  std::vector<Job> jobs_ ABSL_GUARDED_BY(mutex_);  // at most one, unless the caller broke its promise
  bool running_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;

  std::thread thread_;
  std::thread yielding_thread_;
};

ModelRunner::ModelRunner(const model::AdaptiveNetwork& network, const scheduler::EventLoop& loop,
                         const ModelRunnerOptions& options) {
  for (int i = 0; i < options.slots; ++i) {
    slots_.push_back(std::make_unique<Slot>(network, loop, options,
                                            options.processors.empty() ? ProcessorSet() : options.processors[i],
                                            options.turns == nullptr ? nullptr : &options.turns->of(i)));
  }
  for (const auto& slot : slots_) slot->WaitUntilReady();
}

ModelRunner::~ModelRunner() = default;

int ModelRunner::slots() const { return static_cast<int>(slots_.size()); }

absl::Status ModelRunner::pinning() const {
  absl::Status status;
  for (const auto& slot : slots_) status.Update(slot->pinning());
  return status;
}

void ModelRunner::Run(int slot, scheduler::Batch batch, Done done) {
  slots_[slot]->Give(std::move(batch), std::move(done));
}

}  // namespace anybit::server
