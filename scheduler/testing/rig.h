// A whole scheduler in virtual time: loop, simulated runner, engine and trace, and what every caller was answered.
#ifndef ANYBIT_SCHEDULER_TESTING_RIG_H_
#define ANYBIT_SCHEDULER_TESTING_RIG_H_

#include <cstdint>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "scheduler/admission/admission.h"
#include "scheduler/latency/profile.h"
#include "scheduler/policy.h"
#include "scheduler/scheduler.h"
#include "scheduler/sim/world/sim_event_loop.h"
#include "scheduler/sim/world/sim_runner.h"
#include "scheduler/sim/world/trace_recorder.h"

namespace anybit::scheduler::testing {

// Tells in tests whose payload it is.
struct TaggedPayload final : Payload {
  explicit TaggedPayload(int64_t tag) : tag(tag) {}
  int64_t tag;
};

struct Answer {
  MonoTime at{};
  Outcome outcome;
};

class Rig {
 public:
  Rig(Profile profile, std::unique_ptr<SchedulingPolicy> policy, scheduler::sim::SimRunnerOptions runner_options = {},
      SchedulerOptions options = {});

  // Submits now, with a payload tagged `tag`; the answer will be found under that tag.
  RequestId Submit(int64_t tag, SubmitRequest request);
  // The same at a later instant.
  void SubmitAt(MonoTime when, int64_t tag, SubmitRequest request);

  // The one answer under `tag`; fails the test unless there is exactly one.
  const Answer& answer(int64_t tag) const;
  bool answered(int64_t tag) const { return answers_.contains(tag); }
  const std::map<int64_t, std::vector<Answer>>& answers() const { return answers_; }

  const std::map<int64_t, RequestId>& ids() const { return ids_; }

  scheduler::sim::SimEventLoop loop;
  scheduler::sim::TraceRecorder trace;

 private:
  const std::unique_ptr<SchedulingPolicy> policy_;
  const AdmissionControl admission_{};
  scheduler::sim::SimRunner runner_;
  std::map<int64_t, std::vector<Answer>> answers_;
  std::map<int64_t, RequestId> ids_;

 public:
  Scheduler scheduler;
};

}  // namespace anybit::scheduler::testing

#endif  // ANYBIT_SCHEDULER_TESTING_RIG_H_
