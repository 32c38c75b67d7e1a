#include "server/call_intake.h"

#include <grpc/support/time.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"

namespace anybit::server {

// One completion queue and the threads that poll it.
class CallIntake::Queue {
 public:
  Queue(CallIntake& intake, std::unique_ptr<grpc::ServerCompletionQueue> queue, const CallIntakeOptions& options)
      : intake_(intake),
        queue_(std::move(queue)),
        thread_count_(options.threads_per_queue),
        read_timeout_(options.read_timeout),
        reading_(options.read_timeout) {}

  void Start() {
    for (int i = 0; i < thread_count_; ++i) threads_.emplace_back([this] { Work(); });
  }

  void Stop() {
    queue_->Shutdown();
    if (threads_.empty()) Work();  // a queue has to be emptied
    for (std::thread& thread : threads_) thread.join();
  }

  // Asks gRPC for another call.
  void Request() {
    intake_.calls_.Begin();
    intake_.requests_.Begin();
    auto* call = new IncomingCall(*this);  // its events own it
    call->context_.AsyncNotifyWhenDone(&call->closed_);
    intake_.service_.RequestCall(&call->context_, &call->stream_, queue_.get(), queue_.get(), &call->taken_);
  }

  void RequestEnded() { intake_.requests_.End(); }
  // The last use of the queue by a call.
  void CallEnded() { intake_.calls_.End(); }

  std::unique_ptr<CallHandler> Route(IncomingCall& call) { return intake_.route_(call); }

  void BeginReading(IncomingCall* call) {
    absl::MutexLock lock(&mutex_);
    call->reading_ = reading_.Add(call, intake_.loop_.Now());
  }
  void EndReading(IncomingCall* call) {
    absl::MutexLock lock(&mutex_);
    if (call->reading_.has_value()) reading_.Remove(*call->reading_);
    call->reading_.reset();
  }
  Duration read_timeout() const { return read_timeout_; }

 private:
  void Work() {
    while (true) {
      void* tag = nullptr;
      bool ok = false;
      const grpc::CompletionQueue::NextStatus next = queue_->AsyncNext(&tag, &ok, WakeAt());
      if (next == grpc::CompletionQueue::SHUTDOWN) return;
      if (next == grpc::CompletionQueue::GOT_EVENT) {
        const auto* event = static_cast<const IncomingCall::Event*>(tag);
        event->call->Run(event->happens, ok);
      }
      while (IncomingCall* late = TakeLate()) late->Run(&IncomingCall::ReadTimedOut, true);
    }
  }

  // A call whose message has not come in time; null if there is none.
  IncomingCall* TakeLate() {
    absl::MutexLock lock(&mutex_);
    if (reading_.next() == kNever) return nullptr;
    const std::optional<IncomingCall*> late = reading_.TakeExpired(intake_.loop_.Now());
    if (!late.has_value()) return nullptr;
    (*late)->reading_.reset();
    ++(*late)->timeouts_under_way_;
    return *late;
  }

  gpr_timespec WakeAt() {
    absl::MutexLock lock(&mutex_);
    if (reading_.next() == kNever) return gpr_inf_future(GPR_CLOCK_MONOTONIC);
    const Duration left = std::max(reading_.next() - intake_.loop_.Now(), Duration::zero());
    return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_nanos(left.count(), GPR_TIMESPAN));
  }

  CallIntake& intake_;
  const std::unique_ptr<grpc::ServerCompletionQueue> queue_;
  const int thread_count_;
  const Duration read_timeout_;
  absl::Mutex mutex_;
  TimeoutQueue<IncomingCall*> reading_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::thread> threads_;
};

CallIntakeOptions ChooseCallThreads(int processors) {
  // One thread on one processor received 19,000 calls/s and refused most of them (docs/performance.md, three times the
  // capacity), more than two processors answer. More than one queue has not been measured.
  constexpr int kProcessorsPerQueue = 2;
  constexpr int kMaxQueues = 8;
  return {.queues = std::clamp(processors / kProcessorsPerQueue, 1, kMaxQueues),
          .threads_per_queue = processors == 1 ? 1 : 2};
}

CallIntake::CallIntake(grpc::ServerBuilder& builder, const CallIntakeOptions& options, const scheduler::EventLoop& loop,
                       CallRouter route)
    : loop_(loop), route_(std::move(route)) {
  builder.RegisterAsyncGenericService(&service_);
  for (int i = 0; i < options.queues; ++i) {
    queues_.push_back(std::make_unique<Queue>(*this, builder.AddCompletionQueue(), options));
  }
}

CallIntake::~CallIntake() { Stop(); }

void CallIntake::TakeWaiting() {
  // More than one connection sends at once by default. Each request takes a waiting call; the others fail.
  constexpr int kMaxWaiting = 1000;
  for (const auto& queue : queues_) {
    for (int i = 0; i < kMaxWaiting; ++i) queue->Request();
  }
}

void CallIntake::Start() {
  for (const auto& queue : queues_) {
    queue->Request();
    queue->Start();
  }
}

void CallIntake::Stop() {
  if (std::exchange(is_stopped_, true)) return;
  absl::Notification ended;
  calls_.WhenIdle([&ended] { ended.Notify(); });
  ended.WaitForNotification();
  for (const auto& queue : queues_) queue->Stop();
}

void IncomingCall::Read(grpc::ByteBuffer* message) {
  mutex_.AssertHeld();  // by OnTaken
  is_reading_ = true;
  queue_.BeginReading(this);
  stream_.Read(message, &read_ended_);
}

void IncomingCall::ReadNext(grpc::ByteBuffer* message) {
  mutex_.AssertHeld();  // by the event
  is_reading_ = true;
  stream_.Read(message, &next_read_ended_);
}

void IncomingCall::Write(const grpc::ByteBuffer& message) { stream_.Write(message, &written_); }

void IncomingCall::Finish(const grpc::Status& status) { stream_.Finish(status, &finish_ended_); }

void IncomingCall::WriteAndFinish(const grpc::ByteBuffer& message, const grpc::Status& status) {
  stream_.WriteAndFinish(message, grpc::WriteOptions(), status, &finish_ended_);
}

void IncomingCall::Run(void (IncomingCall::*event)(bool ok), bool ok) {
  {
    absl::MutexLock lock(&mutex_);
    (this->*event)(ok);
    if (!is_ended_ && (is_reading_ || !is_closed_ || !is_finished_)) return;
    if (timeouts_under_way_ > 0) return;
    is_ended_ = true;
  }
  if (handler_ != nullptr) handler_->OnEnded();
  CallIntake::Queue& queue = queue_;
  delete this;
  queue.CallEnded();
}

void IncomingCall::Taken(bool ok) {
  if (!ok) {  // the server stops; nothing else happens
    is_ended_ = true;
    queue_.RequestEnded();
    return;
  }
  queue_.Request();
  handler_ = queue_.Route(*this);
  handler_->OnTaken();
  queue_.RequestEnded();
  if (is_closed_ && context_.IsCancelled()) handler_->OnCancelled();  // the queue's other thread was faster
}

void IncomingCall::ReadEnded(bool ok) {
  is_reading_ = false;
  queue_.EndReading(this);
  if (has_timed_out_ || timeouts_under_way_ > 0) return;
  if (ok) {
    handler_->OnRead();
  } else {
    FailRead(grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "the call ended before its message was complete"));
  }
}

void IncomingCall::NextReadEnded(bool ok) {
  is_reading_ = false;
  if (ok) {
    handler_->OnRead();
  } else {
    handler_->OnReadsEnded();
  }
}

void IncomingCall::ReadTimedOut(bool) {
  --timeouts_under_way_;
  has_timed_out_ = true;
  FailRead(
      grpc::Status(grpc::StatusCode::DEADLINE_EXCEEDED,
                   absl::StrCat("the call's message was not complete within ",
                                absl::FormatDuration(absl::FromChrono(queue_.read_timeout())), " (--read_timeout)")));
}

void IncomingCall::FailRead(const grpc::Status& status) {
  handler_->OnReadFailed();
  Finish(status);
}

void IncomingCall::Written(bool ok) { handler_->OnWritten(ok); }

void IncomingCall::Closed(bool) {
  is_closed_ = true;
  if (handler_ != nullptr && !is_finished_ && context_.IsCancelled()) handler_->OnCancelled();
}

void IncomingCall::FinishEnded(bool) { is_finished_ = true; }

}  // namespace anybit::server
