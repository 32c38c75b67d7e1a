// Calls of ModelInfer: from the wire to the scheduler and back. They validate and translate; they decide nothing.
//
// A call's message is read only when there is memory for the largest one: flow control holds the rest back. A call that
// cannot be answered in time is refused before its message is read.
#ifndef ANYBIT_SERVER_MODEL_INFER_CALLS_H_
#define ANYBIT_SERVER_MODEL_INFER_CALLS_H_

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/strings/string_view.h"
#include "base/time.h"
#include "scheduler/loop/event_loop.h"
#include "server/call_intake.h"
#include "server/edge_observer.h"
#include "server/grpc_deadline.h"
#include "server/open_calls.h"
#include "server/request_journal.h"
#include "server/request_memory.h"
#include "server/served_model.h"
#include "server/served_versions.h"
#include "server/serving_state.h"

namespace anybit::server {

// The retry delay where the scheduler has none: long enough to end a retry storm, short for a person.
inline constexpr Duration kDefaultRetryAfter = std::chrono::milliseconds(100);

// Memory that a call takes besides its tensors: gRPC's call and stream, our object, its place in the queue. Of 17,600
// waiting calls of 1 KiB, each took 17.3 KiB of resident memory.
inline constexpr int64_t kCallOverhead = 16 * 1024;

// The parts that calls of ModelInfer use. Each outlives the last call.
struct ModelInferParts {
  const ServedModel& contract;  // what all versions have in common: the largest request, above all
  ServedVersions& versions;
  const SharedServingState& state;
  const scheduler::EventLoop& loop;  // asked for the time
  RequestMemory& memory;
  EdgeObserver& observer;
  RequestJournal& journal;
  WallTime (*wall_now)();  // gRPC's deadlines are in wall time
};

// Any thread.
class ModelInferCalls {
 public:
  static constexpr absl::string_view kMethod = "/inference.GRPCInferenceService/ModelInfer";

  explicit ModelInferCalls(const ModelInferParts& parts) : parts_(parts) {}

  // Bytes of request memory that the largest request of `model` holds, from its reading to its answer.
  static int64_t LargestCallBytes(const ServedModel& model);

  // Makes the handler of `call`, whose method is kMethod.
  std::unique_ptr<CallHandler> Handle(IncomingCall& call);

  // Why a call with so much time left is refused before anything of it is read, as RefusalBlock; null: it is not,
  // unless it `must`, because more calls come than the edge can take. Valid until the same thread asks again.
  const std::string* RefuseUnread(Duration left, bool must);

  // Calls `idle` once none is open; see OpenCalls.
  void WhenIdle(absl::AnyInvocable<void()> idle) { open_.WhenIdle(std::move(idle)); }

 private:
  class Call;

  // Counts a call that has come too late, or has not.
  void SeeDeadline(Duration left);

  const ModelInferParts parts_;
  OpenCalls open_;
  std::atomic<uint32_t> refusals_ = 0;        // the intake's threads
  std::atomic<uint32_t> expired_in_row_ = 0;  // calls that came too late since one came in time; the intake's threads
};

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_MODEL_INFER_CALLS_H_
