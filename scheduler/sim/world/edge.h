// The server's edge in virtual time: a call's way to the scheduler, and its answer's way back.
//
// Tasks on a processor receive, refuse and answer calls in order of arrival. A call behind others is seen late while
// its deadline runs on. An answer travels until its task is done, and then for its transmission time. A client gives up
// at its deadline. A call that was not received by then still costs its receiving, but is neither submitted nor
// refused. For a received call the scheduler is not told, since it knows the deadline; the answer is dropped.
//
// As in the server, a call that RefuseEarly refuses does not reach the scheduler's queue. The scheduler learns the
// delivery time of one answer in eight, at least as long as its caller waited, and of one refusal in eight.
#ifndef ANYBIT_SCHEDULER_SIM_WORLD_EDGE_H_
#define ANYBIT_SCHEDULER_SIM_WORLD_EDGE_H_

#include <cstdint>
#include <random>

#include "absl/functional/any_invocable.h"
#include "base/time.h"
#include "scheduler/loop/event_loop.h"
#include "scheduler/request.h"
#include "scheduler/scheduler.h"
#include "scheduler/sim/world/shared_processor.h"
#include "scheduler/sim/world/world_options.h"

namespace anybit::scheduler::sim {

class Edge {
 public:
  // The call's end, as it reaches the caller at the present instant. A client that gave up before its call was received
  // is told so when that happens: kExpired.
  using Done = absl::AnyInvocable<void(Outcome)>;

  // All must outlive the edge, and the edge the loop's runs. `seed`: of the transmission times.
  Edge(EventLoop& loop, SharedProcessor& processor, Scheduler& scheduler, const WorldOptions& world, uint64_t seed)
      : loop_(loop), processor_(processor), scheduler_(scheduler), world_(world), random_(seed) {}

  // A call reaches the server now. `done` is called exactly once. Loop thread only.
  void Call(SubmitRequest request, Done done);

 private:
  void Submit(SubmitRequest request, Done done);
  // `sampled`: the scheduler is told how long it was under way.
  void Reply(MonoTime deadline, bool sampled, Outcome outcome, Done done);
  Duration TransmissionTime();

  EventLoop& loop_;
  SharedProcessor& processor_;
  Scheduler& scheduler_;
  const WorldOptions world_;
  std::mt19937_64 random_;
  uint64_t early_refusals_ = 0;
};

}  // namespace anybit::scheduler::sim

#endif  // ANYBIT_SCHEDULER_SIM_WORLD_EDGE_H_
