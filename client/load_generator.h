// Sends a planned load to a server and keeps how each call ended.
//
// Calls go out at their planned instants whatever the server does, and latency counts from the planned instant, so a
// stall is seen in full. Each call ends in exactly one way. How late it was sent is kept too: that is the client's own
// part of the latency.
#ifndef ANYBIT_CLIENT_LOAD_GENERATOR_H_
#define ANYBIT_CLIENT_LOAD_GENERATOR_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/image_file.h"
#include "client/inference_client.h"
#include "client/interruption.h"
#include "client/load_plan.h"

namespace anybit::client {

enum class Ending {
  kAttained,  // answered within the deadline, by the client's clock
  kLate,      // answered, too late
  kShed,      // refused at once (ResourceExhausted)
  kExpired,   // given up while it waited (DeadlineExceeded)
  kFailed,    // anything else
  kUnended,   // not sent, or cancelled on the way, because the load was interrupted
};

struct CallOutcome {
  Ending ending = Ending::kFailed;
  std::chrono::nanoseconds latency{0};     // from the planned instant
  std::chrono::nanoseconds send_delay{0};  // from the planned instant until it was sent
  int top_class = -1;                      // -1 where there is no answer
  std::string operating_point;
  std::optional<int64_t> expected_accuracy_bp;
};

// How a call ended that got `answer` after `latency`. With a `deadline` of zero every answer is in time.
CallOutcome JudgeCall(const absl::StatusOr<InferResult>& answer, std::chrono::nanoseconds latency,
                      std::chrono::nanoseconds deadline);

struct LoadSource {
  const GrayImages& images;  // of the model's input size
  InferOptions request;      // its deadline counts from the planned instant
};

struct Senders {
  std::span<const std::unique_ptr<InferenceClient>> clients;  // calls are sent by each of them in turn; at least one
  int threads = 1;                                            // each sends every threads-th call
  // Called for each call that ended, on threads of gRPC's: it must not block. May be null.
  std::function<void(const PlannedCall&, const CallOutcome&)> on_end = nullptr;
};

// Sends `plan` and waits for its end; outcomes are in the plan's order. `requests` holds one for each kind of call. An
// interruption, whose listener is to cancel the clients' calls, ends it at once.
std::vector<CallOutcome> RunLoad(const Senders& senders, std::span<const PlannedCall> plan, const GrayImages& images,
                                 std::span<const InferOptions> requests, const Interruption& interruption);

// Calls per second that the server answers to `callers` threads which each ask one image again and again for
// `duration`, at least once each. callers >= 1. A refusal (ResourceExhausted, DeadlineExceeded) is a result: a caller
// that is refused stops, so that as many go on as the server accepts at once; the last one asks again. Any other error
// ends the measurement. Without a single answer the refusal is the error.
absl::StatusOr<double> MeasureCapacity(InferenceClient& client, const LoadSource& source, int callers,
                                       std::chrono::nanoseconds duration);

}  // namespace anybit::client

#endif  // ANYBIT_CLIENT_LOAD_GENERATOR_H_
