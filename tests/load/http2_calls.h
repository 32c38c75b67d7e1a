// An open loop and a closed loop of gRPC calls over several HTTP/2 connections, in one thread.
//
// Open loop: calls are sent at their planned instants whatever the server does, and latency counts from the planned
// instant. A call that is not answered at its deadline is cancelled, as gRPC's clients do. A call for which no
// connection has a free stream waits here, and is given up unsent at its deadline.
#ifndef ANYBIT_TESTS_LOAD_HTTP2_CALLS_H_
#define ANYBIT_TESTS_LOAD_HTTP2_CALLS_H_

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/load_plan.h"
#include "tests/load/http2_connection.h"

namespace anybit::load {

struct LoadTarget {
  std::string address;
  int connections = 4;
  GrpcMethod method;
};

struct Deadline {
  std::chrono::nanoseconds after{0};  // the planned instant; zero: none
  // Whether it is the call's gRPC deadline: told to the server with each call, and kept by cancelling. Otherwise late
  // answers are waited for, and the message has to tell the server.
  bool is_grpc = true;
};

struct StepCounts {
  int64_t offered = 0;
  int64_t attained = 0;  // answered within the deadline
  int64_t late = 0;      // answered after it
  int64_t shed = 0;      // refused with RESOURCE_EXHAUSTED
  int64_t expired = 0;   // DEADLINE_EXCEEDED, or given up here
  int64_t unsent = 0;    // of the expired: no stream was free until the deadline
  int64_t failed = 0;    // ended in any other way
  // Of the answered, by nearest rank; zero where there are none.
  std::chrono::nanoseconds p50{0}, p99{0};
  // How late calls were taken from the plan: above two milliseconds this program, not the server, was the bottleneck.
  std::chrono::nanoseconds lag_p99{0}, lag_max{0};
  std::optional<double> expected_accuracy;     // mean over every 16th answer in time, 0..1
  std::chrono::nanoseconds processor_time{0};  // of this process, while the step's calls were being sent
};

struct OpenLoopResult {
  std::vector<StepCounts> steps;
  std::map<std::string, int64_t> failures;  // what was wrong, and how often
};

// Sends `plan`, whose steps are 0..steps-1, and waits for all its calls. Fails if a connection does.
absl::StatusOr<OpenLoopResult> RunOpenLoop(const LoadTarget& target, std::span<const client::PlannedCall> plan,
                                           int steps, const Deadline& deadline);

struct ClosedLoopResult {
  double calls_per_second = 0;                 // answered, while measured
  double refused_per_second = 0;               // ended otherwise, while measured
  int64_t calls = 0;                           // that ended in any way, before, while and after it was measured
  std::chrono::nanoseconds processor_time{0};  // of this process, for all of them
  std::map<std::string, int64_t> failures;
};

// Keeps `callers` calls under way, without deadlines: for a fifth of `duration` unmeasured, then for `duration`.
absl::StatusOr<ClosedLoopResult> RunClosedLoop(const LoadTarget& target, int callers,
                                               std::chrono::nanoseconds duration);

}  // namespace anybit::load

#endif  // ANYBIT_TESTS_LOAD_HTTP2_CALLS_H_
