#include "server/call_intake.h"

#include <grpc/support/time.h>
#include <grpcpp/alarm.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <new>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "server/grpc_status.h"
#include "server/message_encoding.h"

namespace anybit::server {
namespace {

// A queue that could not ask for a call, for lack of memory, asks again after this time. Short beside any deadline, and
// long enough for other calls to end.
constexpr Duration kRequestRetry = std::chrono::milliseconds(10);

// The text is short enough for the library's strings to copy it without an allocation.
const grpc::Status& NoMemory() {
  static const grpc::Status* const status = new grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "no memory left");
  return *status;
}

}  // namespace

// One completion queue and the threads that poll it.
class CallIntake::Queue {
 public:
  Queue(CallIntake& intake, std::unique_ptr<grpc::ServerCompletionQueue> queue, const CallIntakeOptions& options)
      : intake_(intake),
        queue_(std::move(queue)),
        thread_count_(options.threads_per_queue),
        read_timeout_(options.read_timeout),
        max_message_bytes_(options.max_message_bytes),
        reading_(options.read_timeout, std::min(options.read_grace, options.read_timeout)) {}

  ~Queue() {
    if (lost_calls_ > 0) (void)queue_.release();  // gRPC still waits for them
  }

  void Start() {
    for (int i = 0; i < thread_count_; ++i) {
      threads_.emplace_back([this] { intake_.waits_in_source_ ? WorkBesideSource() : Work(); });
    }
  }

  void Stop() {
    {
      absl::MutexLock lock(&mutex_);  // a request under way comes before the shutdown
      is_stopped_ = true;
    }
    // A queue that waits for lost calls never tells its threads that it is shut down.
    std::vector<grpc::Alarm> ends(lost_calls_ > 0 ? threads_.size() : 0);
    for (grpc::Alarm& end : ends) end.Set(queue_.get(), gpr_now(GPR_CLOCK_MONOTONIC), nullptr);
    queue_->Shutdown();
    Wake();
    if (threads_.empty()) Work();  // a queue has to be emptied
    for (std::thread& thread : threads_) thread.join();
  }

  // Asks gRPC for another call, now or, if there is no memory, later.
  void Request() {
    if (TryRequest()) return;
    absl::MutexLock lock(&mutex_);
    ++owed_requests_;
  }

  void CallTaken() { intake_.calls_taken_.fetch_add(1, std::memory_order_relaxed); }
  // The last use of the queue by a call.
  void CallEnded() { intake_.calls_.End(); }

  // An event may have come while the thread waits elsewhere.
  void Wake() {
    if (intake_.source_ != nullptr && this_threads_ != this) intake_.source_->Wake();
  }

  // Wakes the queue after a call has used gRPC. By then the call may have ended, but not its queue.
  class WakesAtEnd {
   public:
    explicit WakesAtEnd(Queue& queue) : queue_(queue) { queue_.intake_.calls_.Begin(); }
    ~WakesAtEnd() {
      queue_.Wake();
      queue_.intake_.calls_.End();
    }

   private:
    Queue& queue_;
  };

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
  uint64_t max_message_bytes() const { return max_message_bytes_; }

 private:
  grpc::CompletionQueue::NextStatus RunNext(gpr_timespec until) {
    void* tag = nullptr;
    bool ok = false;
    const grpc::CompletionQueue::NextStatus next = NextEvent(&tag, &ok, until);
    if (next == grpc::CompletionQueue::GOT_EVENT) {
      if (tag == nullptr) return grpc::CompletionQueue::SHUTDOWN;  // see Stop
      const auto* event = static_cast<const IncomingCall::Event*>(tag);
      event->call->Run(event->happens, ok);
    }
    return next;
  }

  void EndLateReads() {
    while (IncomingCall* late = TakeLate()) late->Run(&IncomingCall::ReadTimedOut, true);
  }

  void Work() {
    while (RunNext(WakeAt()) != grpc::CompletionQueue::SHUTDOWN) EndLateReads();
  }

  // Polls gRPC until it has nothing to do, then waits for the source.
  void WorkBesideSource() {
    this_threads_ = this;
    // On the one processor the loop's thread could only take this one's place: it gets all at once.
    const std::unique_ptr<scheduler::PostHold> posts = intake_.loop_.HoldPosts();
    int news = 0;  // sockets that gRPC may have to look at, one a time
    bool was_quiet = false;
    while (true) {
      const grpc::CompletionQueue::NextStatus next = RunNext(gpr_inf_past(GPR_CLOCK_MONOTONIC));
      if (next == grpc::CompletionQueue::SHUTDOWN) return;
      if (next == grpc::CompletionQueue::GOT_EVENT) {
        was_quiet = false;
        continue;
      }
      if (news-- > 0) continue;
      EndLateReads();
      if (posts != nullptr) posts->Flush();
      news = intake_.source_->Wait(LongestWait(was_quiet ? kQuietWait : kBusyWait));
      was_quiet = news == 0;
      ++news;  // after an event from another thread gRPC looks at no socket once
    }
  }

  grpc::CompletionQueue::NextStatus NextEvent(void** tag, bool* ok, gpr_timespec until) {
    try {
      RequestOwed();
      return queue_->AsyncNext(tag, ok, until);
    } catch (const std::bad_alloc&) {
      // gRPC had no memory for the name of a method. That call is lost: its client waits until its deadline, and the
      // queue never tells that it is shut down.
      ++lost_calls_;
      CallTaken();
      Request();
      intake_.calls_.End();
      return grpc::CompletionQueue::TIMEOUT;
    }
  }

  // False if there is no memory.
  bool TryRequest() {
    intake_.calls_.Begin();
    try {
      std::unique_ptr<IncomingCall> call(new IncomingCall(*this));
      call->context_.AsyncNotifyWhenDone(&call->closed_);
      intake_.service_.RequestCall(&call->context_, &call->stream_, queue_.get(), queue_.get(), &call->taken_);
      (void)call.release();  // its events own it
      return true;
    } catch (const std::bad_alloc&) {
      intake_.calls_.End();
      return false;
    }
  }

  void RequestOwed() {
    absl::MutexLock lock(&mutex_);
    while (!is_stopped_ && owed_requests_ > 0 && TryRequest()) --owed_requests_;
  }

  Duration LongestWait(Duration most) {
    absl::MutexLock lock(&mutex_);
    if (owed_requests_ > 0) most = std::min(most, kRequestRetry);
    if (reading_.next() == kNever) return most;
    return std::clamp(reading_.next() - intake_.loop_.Now(), Duration::zero(), most);
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
    if (reading_.next() == kNever && owed_requests_ == 0) return gpr_inf_future(GPR_CLOCK_MONOTONIC);
    const Duration to_timeout = std::max(reading_.next() - intake_.loop_.Now(), Duration::zero());
    const Duration left = owed_requests_ > 0 ? std::min(to_timeout, kRequestRetry) : to_timeout;
    return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_nanos(left.count(), GPR_TIMESPAN));
  }

  // Beside a source. Threads of gRPC may cause events and tell nobody, a deadline's for instance.
  static constexpr Duration kBusyWait = std::chrono::milliseconds(5), kQuietWait = std::chrono::milliseconds(200);
  static thread_local const Queue* this_threads_;

  CallIntake& intake_;
  std::unique_ptr<grpc::ServerCompletionQueue> queue_;
  const int thread_count_;
  const Duration read_timeout_;
  const uint64_t max_message_bytes_;
  absl::Mutex mutex_;
  TimeoutQueue<IncomingCall*> reading_ ABSL_GUARDED_BY(mutex_);
  int owed_requests_ ABSL_GUARDED_BY(mutex_) = 0;  // that there was no memory for
  // The queue's threads, and the one that stops it.
  std::atomic<bool> is_stopped_ = false;  // a queue that is shut down takes no requests
  std::atomic<int> lost_calls_ = 0;
  std::vector<std::thread> threads_;
};

thread_local const CallIntake::Queue* CallIntake::Queue::this_threads_ = nullptr;

CallIntakeOptions ChooseCallThreads(int processors) {
  // One thread on one processor received 19,000 calls/s and refused most of them (docs/performance.md, three times the
  // capacity), more than two processors answer. More than one queue has not been measured.
  constexpr int kProcessorsPerQueue = 2;
  constexpr int kMaxQueues = 8;
  return {.queues = std::clamp(processors / kProcessorsPerQueue, 1, kMaxQueues),
          .threads_per_queue = processors == 1 ? 1 : 2};
}

CallIntake::CallIntake(grpc::ServerBuilder& builder, const CallIntakeOptions& options, scheduler::EventLoop& loop,
                       CallRouter route)
    : loop_(loop), route_(std::move(route)), source_(options.source), waits_in_source_(options.waits_in_source) {
  builder.RegisterAsyncGenericService(&service_);
  for (int i = 0; i < options.queues; ++i) {
    queues_.push_back(std::make_unique<Queue>(*this, builder.AddCompletionQueue(), options));
  }
}

CallIntake::~CallIntake() { Stop(); }

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
  queue_.BeginReading(this);
  is_reading_ = true;
  message_ = message;
  stream_.Read(message, &read_ended_);
}

void IncomingCall::ReadNext(grpc::ByteBuffer* message) {
  mutex_.AssertHeld();  // by the event
  is_reading_ = true;
  message_ = message;
  stream_.Read(message, &next_read_ended_);
}

void IncomingCall::Write(const grpc::ByteBuffer& message) {
  Sending nothing = Sending::kNothing;
  if (!sending_.compare_exchange_strong(nothing, Sending::kMessage)) return;
  const CallIntake::Queue::WakesAtEnd wakes(queue_);
  stream_.Write(message, &written_);
}

template <typename Answer>
void IncomingCall::AnswerOnce(Answer answer) {
  Sending nothing = Sending::kNothing;
  if (!sending_.compare_exchange_strong(nothing, Sending::kAnswer)) return;
  const CallIntake::Queue::WakesAtEnd wakes(queue_);
  try {
    answer();
  } catch (const std::bad_alloc&) {
    sending_ = Sending::kNothing;  // gRPC has not begun
    throw;
  }
}

void IncomingCall::Finish(const grpc::Status& status) {
  AnswerOnce([&] { stream_.Finish(status, &finish_ended_); });
}

void IncomingCall::FinishForMemory() { Finish(NoMemory()); }

void IncomingCall::WriteAndFinish(const grpc::ByteBuffer& message, const grpc::Status& status) {
  AnswerOnce([&] { stream_.WriteAndFinish(message, grpc::WriteOptions(), status, &finish_ended_); });
}

void IncomingCall::Run(void (IncomingCall::*event)(bool ok), bool ok) {
  {
    absl::MutexLock lock(&mutex_);
    try {
      (this->*event)(ok);
    } catch (const std::bad_alloc&) {
      FinishForMemory();  // or OnWritten goes on
    }
    if (!is_ended_ && (is_reading_ || !is_closed_ || !is_finished_)) return;
    if (timeouts_under_way_ > 0) return;
    is_ended_ = true;
  }
  try {
    if (handler_ != nullptr) handler_->OnEnded();
  } catch (const std::bad_alloc&) {
    // There is nothing left to fail.
  }
  CallIntake::Queue& queue = queue_;
  delete this;
  queue.CallEnded();
}

void IncomingCall::Taken(bool ok) {
  if (!ok) {  // the server stops; nothing else happens
    is_ended_ = true;
    return;
  }
  queue_.CallTaken();
  queue_.Request();
  handler_ = queue_.Route(*this);
  handler_->OnTaken();
  if (is_closed_ && context_.IsCancelled()) handler_->OnCancelled();  // the queue's other thread was faster
}

void IncomingCall::ReadEnded(bool ok) {
  is_reading_ = false;
  queue_.EndReading(this);
  if (has_timed_out_ || timeouts_under_way_ > 0) return;
  if (ok) {
    const absl::Status unpacked = UnpackMessage(*message_, queue_.max_message_bytes());
    if (!unpacked.ok()) return FailRead(ToGrpcStatus(unpacked));
    handler_->OnRead();
  } else {
    FailRead(grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "the call ended before its message was complete"));
  }
}

void IncomingCall::NextReadEnded(bool ok) {
  is_reading_ = false;
  if (ok) {
    UnpackNext();
    handler_->OnRead();
  } else {
    handler_->OnReadsEnded();
  }
}

// A message that cannot be unpacked becomes one that cannot be parsed, so that its error is one of the stream's.
void IncomingCall::UnpackNext() {
  try {
    if (UnpackMessage(*message_, queue_.max_message_bytes()).ok()) return;
  } catch (const std::bad_alloc&) {
    // Likewise.
  }
  message_->Clear();
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

void IncomingCall::Written(bool ok) {
  sending_ = Sending::kNothing;
  handler_->OnWritten(ok);
}

void IncomingCall::Closed(bool) {
  is_closed_ = true;
  if (handler_ != nullptr && !is_finished_ && context_.IsCancelled()) handler_->OnCancelled();
}

void IncomingCall::FinishEnded(bool) { is_finished_ = true; }

}  // namespace anybit::server
