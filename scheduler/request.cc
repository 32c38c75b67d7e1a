#include "scheduler/request.h"

namespace anybit::scheduler {

const char* OutcomeName(OutcomeKind kind) {
  switch (kind) {
    case OutcomeKind::kServed: return "served";
    case OutcomeKind::kShed: return "shed";
    case OutcomeKind::kExpired: return "expired";
    case OutcomeKind::kCancelled: return "cancelled";
    case OutcomeKind::kFailed: return "failed";
    case OutcomeKind::kUnavailable: return "unavailable";
  }
  return "unknown";
}

}  // namespace anybit::scheduler
