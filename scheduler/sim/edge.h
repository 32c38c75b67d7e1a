// The server's edge in virtual time: what becomes of a call before the scheduler sees it and after it has decided.
//
// A call is received, refused and answered by tasks on a processor, in the order in which they come up. So a call that
// waits behind others is seen late, and its deadline runs on; an answer is under way until its task is done, and then
// for the time of its transmission. A client gives up at its deadline. If its call has not been received by then, it
// costs its receiving all the same, but it is not submitted and needs no refusal. If it has, nobody tells the
// scheduler, which knows the deadline; its answer is sent to nobody.
//
// As in the server, a call that RefuseEarly refuses does not reach the scheduler's queue, and the scheduler is told how
// long one answer in eight was under way: at least as long as its caller waited. It is told of one refusal in eight
// too.
#ifndef ANYBIT_SCHEDULER_SIM_EDGE_H_
#define ANYBIT_SCHEDULER_SIM_EDGE_H_

#include <cstdint>
#include <random>

#include "absl/functional/any_invocable.h"
#include "scheduler/event_loop.h"
#include "scheduler/request.h"
#include "scheduler/scheduler.h"
#include "scheduler/sim/shared_processor.h"
#include "scheduler/sim/world_options.h"
#include "scheduler/time.h"

namespace anybit::sim {

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

}  // namespace anybit::sim

#endif  // ANYBIT_SCHEDULER_SIM_EDGE_H_
