#include "scheduler/policies/anybit/anybit_options.h"

#include <cstddef>
#include <optional>
#include <string_view>
#include <variant>

#include "absl/strings/numbers.h"
#include "absl/strings/string_view.h"

namespace anybit::scheduler {
namespace {

struct Row {
  std::string_view name;
  std::variant<double AnybitOptions::*, int AnybitOptions::*> member;
  double least = 0;
  double most = 0;
};

constexpr Row kRows[] = {
    {"max_lookahead_batches", &AnybitOptions::max_lookahead_batches, 1, 1e6},
    {"late_check_interval", &AnybitOptions::late_check_interval, 1, 1e6},
    {"horizon", &AnybitOptions::horizon, 0, 1e3},
    {"later_share", &AnybitOptions::later_share, 0, 1},
    {"max_utilization", &AnybitOptions::max_utilization, 0, 1e3},
    {"busy_share", &AnybitOptions::busy_share, 0, 1e3},
    {"share_of_objective", &AnybitOptions::share_of_objective, 0, 1e3},
    {"aging_threshold", &AnybitOptions::aging_threshold, 0, 1e6},
    {"aged_share", &AnybitOptions::aged_share, 0, 1},
    {"hoped_time_share", &AnybitOptions::hoped_time_share, 0, 1e3},
    {"trial_divisor", &AnybitOptions::trial_divisor, 1, 1e6},
    {"max_row_cost_ratio", &AnybitOptions::max_row_cost_ratio, 0, 1e3},
};

}  // namespace

std::optional<AnybitOptions> WithOption(std::string_view assignment) {
  const size_t equals = assignment.find('=');
  if (equals == std::string_view::npos) return std::nullopt;
  const std::string_view text = assignment.substr(equals + 1);
  double value = 0;
  if (!absl::SimpleAtod(absl::string_view(text.data(), text.size()), &value)) return std::nullopt;
  for (const Row& row : kRows) {
    if (row.name != assignment.substr(0, equals)) continue;
    if (!(value >= row.least && value <= row.most)) return std::nullopt;  // NaN too
    AnybitOptions options;
    if (const auto* real = std::get_if<double AnybitOptions::*>(&row.member)) {
      options.** real = value;
    } else {
      options.*std::get<int AnybitOptions::*>(row.member) = static_cast<int>(value);
    }
    return options;
  }
  return std::nullopt;
}

}  // namespace anybit::scheduler
