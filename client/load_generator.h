// Sends a planned load to a server and reports how it was served.
//
// Calls go out at their planned instants whatever the server does, and latency counts from the planned instant, so a
// stall is seen in full. Each call ends in exactly one way, and an interrupted load reports those that ended before.
#ifndef ANYBIT_CLIENT_LOAD_GENERATOR_H_
#define ANYBIT_CLIENT_LOAD_GENERATOR_H_

#include <chrono>
#include <cstdint>
#include <map>
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
  std::chrono::nanoseconds latency{0};  // from the planned instant
  int top_class = -1;                   // -1 where there is no answer
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

// Sends `plan` and waits for its end; outcomes are in the plan's order. One thread sends. An interruption, whose
// listener is to cancel the client's calls, ends it at once.
std::vector<CallOutcome> RunLoad(InferenceClient& client, std::span<const PlannedCall> plan, const LoadSource& source,
                                 const Interruption& interruption);

// Calls per second that the server answers to `callers` threads which each ask one image again and again for
// `duration`, at least once each. callers >= 1. A refusal (ResourceExhausted, DeadlineExceeded) is a result: a caller
// that is refused stops, so that as many go on as the server accepts at once; the last one asks again. Any other error
// ends the measurement. Without a single answer the refusal is the error.
absl::StatusOr<double> MeasureCapacity(InferenceClient& client, const LoadSource& source, int callers,
                                       std::chrono::nanoseconds duration);

struct StepReport {
  double calls_per_second = 0;              // planned
  bool complete = true;                     // all its calls ended
  int64_t offered = 0;                      // calls that ended
  std::map<Ending, int64_t> endings;        // of all `offered`
  double attainment = 0;                    // attained / offered
  std::optional<double> expected_accuracy;  // mean over the attained of what the server expects of their point, 0..1
  std::optional<double> top1;               // share of right answers among the attained, where there are labels
  std::chrono::nanoseconds p50{0}, p99{0};  // latency of the answered, by nearest rank; zero where there are none
  std::map<std::string, int64_t> points;    // answers by operating point
};

// One report per step; of an interrupted load only up to the last step of which a call ended. `labels` is empty or has
// one per image.
std::vector<StepReport> ReportLoad(std::span<const LoadStep> steps, std::span<const PlannedCall> plan,
                                   std::span<const CallOutcome> outcomes, std::span<const uint8_t> labels);

}  // namespace anybit::client

#endif  // ANYBIT_CLIENT_LOAD_GENERATOR_H_
