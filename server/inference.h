// One request to the network, whatever transport brought it: validated, submitted to the scheduler, translated back.
//
//   auto inference = std::make_shared<Inference>(parts);
//   if (absl::Status held = inference->Hold(bytes); !held.ok()) return Refuse(held);
//   inference->Begin(request, "", [inference](scheduler::Outcome outcome) { Answer(inference->Response(outcome)); });
//
// Unary calls of gRPC have a class of their own (ModelInferCalls): they are refused before their message is read. The
// others may be refused by RefuseEarly before their tensor is copied.
#ifndef ANYBIT_SERVER_INFERENCE_H_
#define ANYBIT_SERVER_INFERENCE_H_

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "proto/inference.pb.h"
#include "scheduler/request.h"
#include "scheduler/scheduler.h"
#include "server/model_infer_calls.h"
#include "server/request_journal.h"
#include "server/request_memory.h"
#include "server/served_versions.h"
#include "server/translate_outcome.h"

namespace anybit::server {

class Inference {
 public:
  using Done = absl::AnyInvocable<void(scheduler::Outcome)>;

  // `parts` outlive this.
  explicit Inference(const ModelInferParts& parts) : parts_(parts), share_(parts.memory) {}
  Inference(const Inference&) = delete;
  Inference& operator=(const Inference&) = delete;

  // Holds `bytes` of request memory from now on, in place of those held before. ResourceExhausted, counted as shed, if
  // requests hold too much.
  absl::Status Hold(int64_t bytes);

  // A retry delay if its version would refuse every request with the names and parameters of `head`, which needs no
  // contents, now. It is counted; the caller answers, and Begin is not called. Before Begin, with the same names.
  std::optional<Duration> RefuseEarly(const inference::ModelInferRequest& head);

  // Submits `request`, whose header traceparent was `trace_parent` and whose tensor is taken out; `done` is called
  // exactly once, on this thread or the loop of its version's scheduler. A request that is not valid, that memory is
  // missing for, or that is refused early ends like one that the scheduler refused; all of them are counted. Once.
  void Begin(inference::ModelInferRequest& request, absl::string_view trace_parent, Done done);

  // The client went away. Any thread, even before Begin. Lets no std::bad_alloc out.
  void Cancel();

  // The answer to an outcome of kServed. After `done`.
  inference::ModelInferResponse Response(const scheduler::Outcome& outcome) const;

 private:
  absl::StatusOr<SharedVersion> Choose(const inference::ModelInferRequest& request);
  void CancelAtScheduler(scheduler::RequestId id);
  absl::Status Prepare(inference::ModelInferRequest& request, absl::string_view trace_parent,
                       scheduler::SubmitRequest& submit);

  const ModelInferParts& parts_;
  RequestMemory::Share share_;
  ResponseForm form_;
  SharedVersion version_;              // once it is chosen
  std::unique_ptr<RequestNote> note_;  // null: nothing is written of it
  absl::Mutex mutex_;
  bool is_cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<scheduler::RequestId> id_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_INFERENCE_H_
