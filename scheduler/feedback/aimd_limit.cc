#include "scheduler/feedback/aimd_limit.h"

#include <algorithm>

namespace anybit::scheduler {

void AimdLimit::Observe(bool all_in_time) { rows_ = std::clamp(all_in_time ? rows_ + 1 : rows_ * 0.9, 1.0, max_rows_); }

}  // namespace anybit::scheduler
