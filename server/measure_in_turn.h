// Measures a network beside versions that serve: each run takes the slot's turn, and the clock stands while it waits.
#ifndef ANYBIT_SERVER_MEASURE_IN_TURN_H_
#define ANYBIT_SERVER_MEASURE_IN_TURN_H_

#include <memory>
#include <span>
#include <utility>

#include "model/engine/adaptive_network.h"
#include "scheduler/loop/event_loop.h"
#include "server/slot_turns.h"

namespace anybit::server {

// `network` as its runs in turn. One thread.
class NetworkInTurn final : public model::AdaptiveNetwork {
 public:
  // All outlive this. `loop` is asked for the time only.
  NetworkInTurn(model::AdaptiveNetwork& network, SlotTurns::Slot& slot, const scheduler::EventLoop& loop)
      : network_(network), slot_(slot), loop_(loop) {}

  Duration waited() const { return waited_; }

  const model::NetworkDescription& description() const override { return network_.description(); }
  std::unique_ptr<Scratch> MakeScratch(int max_rows) const override { return network_.MakeScratch(max_rows); }
  absl::Status Prepare(PointId point) const override { return network_.Prepare(point); }
  absl::Status Run(PointId point, std::span<const uint8_t> input, std::span<float> output,
                   Scratch& scratch) const override {
    const MonoTime asked = loop_.Now();
    const SlotTurns::Turn turn(&slot_);
    waited_ += loop_.Now() - asked;
    return network_.Run(point, input, output, scratch);
  }
  model::KernelChooser* kernel_chooser() override { return network_.kernel_chooser(); }

 private:
  model::AdaptiveNetwork& network_;
  SlotTurns::Slot& slot_;
  const scheduler::EventLoop& loop_;
  mutable Duration waited_{};
};

// The time of `loop` less what `network` has waited. Only Now may be called.
class ClockInTurn final : public scheduler::EventLoop {
 public:
  ClockInTurn(const scheduler::EventLoop& loop, const NetworkInTurn& network) : loop_(loop), network_(network) {}

  MonoTime Now() const override { return loop_.Now() - network_.waited(); }
  void Post(Callback) override {}
  scheduler::TimerId PostAt(MonoTime, Callback) override { return scheduler::TimerId::kNone; }
  bool Cancel(scheduler::TimerId) override { return false; }

 private:
  const scheduler::EventLoop& loop_;
  const NetworkInTurn& network_;
};

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_MEASURE_IN_TURN_H_
