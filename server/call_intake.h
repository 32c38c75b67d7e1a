// Takes the server's calls, of every method, and reads no more of them than it handles.
//
// gRPC's callback services have threads of the library that read all that arrives. Calls that come faster than they can
// even be refused then pile up in the process, with those that their clients have cancelled since. Here the threads
// that handle calls are also those that read from connections, and a server with an intake has no callback service.
// gRPC still reads a connection as long as it has bytes, whatever waits. So a front (server/front/front.h) gives it a
// few calls at a time. A queue with a processor to spare has two threads: of 100,000 calls that a client opened and
// cancelled, one thread without a front kept all (1.4 GB), two kept 15 to 93 MB, one with a front 2 MB.
//
//   CallIntake intake(builder, {.queues = 1}, loop, [](IncomingCall& call) { return std::make_unique<MyCall>(call); });
//   std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
//   intake.Start();
//   ...
//   server->Shutdown(deadline);
//   intake.Stop();   // before `server` is destroyed
#ifndef ANYBIT_SERVER_CALL_INTAKE_H_
#define ANYBIT_SERVER_CALL_INTAKE_H_

#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/grpcpp.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "base/time.h"
#include "scheduler/loop/event_loop.h"
#include "server/call_source.h"
#include "server/open_calls.h"
#include "server/security/caller.h"
#include "server/timeout_queue.h"

namespace anybit::server {

class IncomingCall;
class CallHandler;

struct CallIntakeOptions {
  int queues = 1;             // completion queues
  int threads_per_queue = 1;  // with two, one handles calls while the other reads from connections
  Duration read_timeout = std::chrono::seconds(10);  // of a call's message, see IncomingCall::Read
  Duration read_grace = std::chrono::seconds(1);     // then, from when a thread notices; at most read_timeout
  uint64_t max_message_bytes = 4 << 20;              // of a compressed message when it is unpacked
  CallSource* source = nullptr;                      // gives gRPC what its connections get; outlives the intake
  bool waits_in_source = false;                      // the thread, in place of gRPC; for one queue with one thread
};

// Queues and threads that suit so many processors (at least 1).
CallIntakeOptions ChooseCallThreads(int processors);

class CallIntake {
 public:
  // Makes the handler of a call, chosen by its method. Runs on any of the intake's threads.
  using CallRouter = std::function<std::unique_ptr<CallHandler>(IncomingCall&)>;

  // Registers itself with `builder`.
  CallIntake(grpc::ServerBuilder& builder, const CallIntakeOptions& options, scheduler::EventLoop& loop,
             CallRouter route);
  ~CallIntake();

  // Once, after the builder has started the server.
  void Start();

  // Calls that have ever come from gRPC. Any thread.
  int64_t calls_taken() const { return calls_taken_.load(std::memory_order_relaxed); }

  // After the server's Shutdown, or if it was never started. Returns when every call has ended. (Shutdown waits for the
  // connections only, and a completion queue must not end before the last operation on it.)
  void Stop();

 private:
  friend class IncomingCall;
  class Queue;

  scheduler::EventLoop& loop_;
  const CallRouter route_;
  CallSource* const source_;
  const bool waits_in_source_;
  grpc::AsyncGenericService service_;
  OpenCalls calls_;  // from the request for one to its end
  std::atomic<int64_t> calls_taken_ = 0;
  bool is_stopped_ = false;
  std::vector<std::unique_ptr<Queue>> queues_;
};

// The work of one call. Its events run on threads of the call's queue, one at a time. The handler is deleted after
// OnEnded.
//
// An event may let std::bad_alloc out: the call then ends as RESOURCE_EXHAUSTED, unless it is answered or its message
// is being sent. A handler that another thread may still answer must not let it out.
class CallHandler {
 public:
  virtual ~CallHandler() = default;

  // The first event: none of the call's message is read.
  virtual void OnTaken() = 0;
  // The message that Read asked for is there.
  virtual void OnRead() {}
  // There is no message: the call ended before, the message is too large, or it did not come in time. The call is being
  // finished with a status that says so.
  virtual void OnReadFailed() {}
  // There is no further message for ReadNext: the client has sent its last one, or the call has ended.
  virtual void OnReadsEnded() {}
  // The message that Write was given is sent; not `ok`: the call has ended.
  virtual void OnWritten(bool ok) {}
  // The client has cancelled, or its deadline has passed, and the call is not finished.
  virtual void OnCancelled() {}
  // The last event: the answer is sent or cannot be. context().IsCancelled() is valid.
  virtual void OnEnded() {}
};

// One call as its handler sees it. The call outlives its handler.
class IncomingCall {
 public:
  IncomingCall(const IncomingCall&) = delete;
  IncomingCall& operator=(const IncomingCall&) = delete;

  const std::string& method() const { return context_.method(); }
  grpc::GenericServerContext& context() { return context_; }

  // What its client may do. The router sets it.
  const Caller& caller() const { return caller_; }
  void SetCaller(Caller caller) { caller_ = std::move(caller); }

  // Asks for the message, which lives until the call ends. A compressed one comes unpacked. At most once, in OnTaken. A
  // call whose message is not complete within CallIntakeOptions::read_timeout ends as DEADLINE_EXCEEDED; its own
  // deadline may come first.
  void Read(grpc::ByteBuffer* message);

  // Asks for the next message of several, which may take any time; OnRead or OnReadsEnded follows. From an event of the
  // call, one at a time. Not besides Read.
  void ReadNext(grpc::ByteBuffer* message);

  // Sends a message of several. Any thread; one at a time.
  void Write(const grpc::ByteBuffer& message);

  // Answer the call. Call exactly one of the three, once, from OnTaken on and after every Write is done. After
  // OnReadFailed call neither. Any thread.
  void Finish(const grpc::Status& status);
  void FinishForMemory();  // as RESOURCE_EXHAUSTED, with a message that takes no memory
  void WriteAndFinish(const grpc::ByteBuffer& message, const grpc::Status& status);

 private:
  friend class CallIntake;
  friend class CallIntake::Queue;

  // A tag of the completion queue.
  struct Event {
    IncomingCall* call;
    void (IncomingCall::*happens)(bool ok);
  };

  explicit IncomingCall(CallIntake::Queue& queue) : queue_(queue) {}

  // Runs an event and, if it was the last one, deletes the call.
  void Run(void (IncomingCall::*event)(bool ok), bool ok);

  void Taken(bool ok) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void NextReadEnded(bool ok) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ReadEnded(bool ok) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ReadTimedOut(bool ok) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Written(bool ok) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Closed(bool ok) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void FinishEnded(bool ok) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void UnpackNext();
  void FailRead(const grpc::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // Runs `answer`, a last operation on stream_, unless the call is answered or a write is under way. When it returns,
  // the call may be deleted.
  template <typename Answer>
  void AnswerOnce(Answer answer);

  CallIntake::Queue& queue_;
  grpc::GenericServerContext context_;
  Caller caller_;
  grpc::GenericServerAsyncReaderWriter stream_{&context_};
  Event taken_{this, &IncomingCall::Taken};
  Event read_ended_{this, &IncomingCall::ReadEnded};
  Event next_read_ended_{this, &IncomingCall::NextReadEnded};
  Event written_{this, &IncomingCall::Written};
  Event closed_{this, &IncomingCall::Closed};
  Event finish_ended_{this, &IncomingCall::FinishEnded};

  grpc::ByteBuffer* message_ = nullptr;                        // that is being read
  std::optional<TimeoutQueue<IncomingCall*>::Place> reading_;  // while it is in queue_.reading_; with queue_.mutex_

  absl::Mutex mutex_;  // held while an event runs
  std::unique_ptr<CallHandler> handler_;
  bool is_reading_ ABSL_GUARDED_BY(mutex_) = false;
  bool has_timed_out_ ABSL_GUARDED_BY(mutex_) = false;
  bool is_closed_ ABSL_GUARDED_BY(mutex_) = false;    // by the client, or since the answer is sent
  bool is_finished_ ABSL_GUARDED_BY(mutex_) = false;  // gRPC has taken the answer
  bool is_ended_ ABSL_GUARDED_BY(mutex_) = false;

  enum class Sending { kNothing, kMessage, kAnswer };
  // What gRPC was last given to send, and has not sent. The queue's threads, and those that answer.
  std::atomic<Sending> sending_ = Sending::kNothing;

  // By threads of the queue that are about to end the reading; added to with queue_.mutex_ held.
  std::atomic<int> timeouts_under_way_ = 0;
};

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_CALL_INTAKE_H_
