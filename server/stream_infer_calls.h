// Calls of ModelStreamInfer: many requests and their responses on one call.
//
// Responses come in the order of the requests. A request that fails is answered with its error, and the stream goes on.
// A client that does not read its responses is not read either: a stream has at most kMaxOpenRequests at a time.
#ifndef ANYBIT_SERVER_STREAM_INFER_CALLS_H_
#define ANYBIT_SERVER_STREAM_INFER_CALLS_H_

#include <memory>
#include <set>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "server/call_intake.h"
#include "server/model_infer_calls.h"
#include "server/open_calls.h"

namespace anybit::server {

// Any thread.
class StreamInferCalls {
 public:
  static constexpr absl::string_view kMethod = "/inference.GRPCInferenceService/ModelStreamInfer";

  // Of one stream, from the reading of a request until its response is sent. Enough to fill the largest batch of single
  // rows twice.
  static constexpr int kMaxOpenRequests = 128;

  // `parts` and its objects outlive the last call.
  explicit StreamInferCalls(const ModelInferParts& parts) : parts_(parts) {}

  // Makes the handler of `call`, whose method is kMethod.
  std::unique_ptr<CallHandler> Handle(IncomingCall& call);

  // Streams read no further request from now on, and end as UNAVAILABLE once their requests are answered.
  void Drain();

  // Calls `idle` once no request of a stream is open; see OpenCalls. After Drain.
  void WhenIdle(absl::AnyInvocable<void()> idle) { open_.WhenIdle(std::move(idle)); }

 private:
  class Call;

  // From its first event to its last; false for one that comes too late.
  bool Enter(Call* call);
  void Leave(Call* call);

  const ModelInferParts& parts_;
  OpenCalls open_;  // requests
  absl::Mutex mutex_;
  bool is_draining_ ABSL_GUARDED_BY(mutex_) = false;
  std::set<Call*> calls_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_STREAM_INFER_CALLS_H_
