#include "scheduler/feedback/attainment_meter.h"

namespace anybit::scheduler {
namespace {

// Each further request keeps this share of the memory, which so covers about the last five hundred requests.
constexpr double kKept = 1 - 1.0 / 512;

// A memory below this is long gone: its share stays as it was.
constexpr double kMinAnswered = 1e-3;

}  // namespace

void AttainmentMeter::Memory::Fade() {
  if (answered < kMinAnswered) return;
  in_time *= kKept;
  answered *= kKept;
}

void AttainmentMeter::Count(bool has_floor, bool in_time) {
  with_floor_.Fade();
  without_floor_.Fade();
  Memory& memory = has_floor ? with_floor_ : without_floor_;
  memory.in_time += in_time;
  memory.answered += 1;
}

}  // namespace anybit::scheduler
