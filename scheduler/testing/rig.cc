#include "scheduler/testing/rig.h"

#include "gtest/gtest.h"

namespace anybit::scheduler::testing {

Rig::Rig(Profile profile, std::unique_ptr<SchedulingPolicy> policy, scheduler::sim::SimRunnerOptions runner_options,
         SchedulerOptions options)
    : policy_(std::move(policy)),
      runner_(loop, profile, runner_options),
      scheduler(loop, runner_, *policy_, admission_, profile, {&trace}, options) {}

RequestId Rig::Submit(int64_t tag, SubmitRequest request) {
  request.payload = std::make_unique<TaggedPayload>(tag);
  const RequestId id = scheduler.Submit(std::move(request), [this, tag](Outcome outcome) {
    answers_[tag].push_back({.at = loop.Now(), .outcome = std::move(outcome)});
  });
  ids_[tag] = id;
  return id;
}

void Rig::SubmitAt(MonoTime when, int64_t tag, SubmitRequest request) {
  loop.PostAt(when, [this, tag, request = std::move(request)]() mutable { Submit(tag, std::move(request)); });
}

const Answer& Rig::answer(int64_t tag) const {
  static const Answer none;
  const auto found = answers_.find(tag);
  const size_t count = found == answers_.end() ? 0 : found->second.size();
  EXPECT_EQ(count, 1u) << "answers to request " << tag;
  return count == 0 ? none : found->second.front();
}

}  // namespace anybit::scheduler::testing
