#include "client/load_mix.h"

#include <cmath>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace anybit::client {
namespace {

constexpr double kMaxDeadlineMs = 3'600'000;

// Cuts off what follows `mark`, and the mark; empty where there is none.
absl::string_view CutAfter(absl::string_view& text, char mark) {
  const size_t place = text.rfind(mark);
  if (place == absl::string_view::npos) return {};
  const absl::string_view after = text.substr(place + 1);
  text = text.substr(0, place);
  return after;
}

}  // namespace

absl::StatusOr<std::vector<RequestKind>> ParseMix(const std::string& text, const InferOptions& base) {
  if (text.empty()) return std::vector<RequestKind>{{.request = base}};
  std::vector<RequestKind> kinds;
  for (const absl::string_view part : absl::StrSplit(text, ',')) {
    const auto refuse = [&](const auto&... why) {
      return absl::InvalidArgumentError(
          absl::StrCat("'", part, "' in '", text, "' ", why..., "; write CLASS[/TENANT][@DEADLINE_MS][:WEIGHT]"));
    };
    RequestKind kind{.request = base};
    absl::string_view rest = part;
    if (absl::StrContains(rest, ':')) {
      const absl::string_view weight = CutAfter(rest, ':');
      if (!absl::SimpleAtod(weight, &kind.weight) || !(kind.weight > 0) || std::isinf(kind.weight)) {
        return refuse("has the weight '", weight, "', not a positive number");
      }
    }
    kind.name = std::string(rest);
    if (absl::StrContains(rest, '@')) {
      const absl::string_view deadline = CutAfter(rest, '@');
      double ms;
      if (!absl::SimpleAtod(deadline, &ms) || !(ms >= 0) || ms > kMaxDeadlineMs) {
        return refuse("has the deadline '", deadline, "', not 0 to ", kMaxDeadlineMs, " ms");
      }
      kind.request.deadline = std::chrono::microseconds(static_cast<int64_t>(ms * 1000));
    }
    if (absl::StrContains(rest, '/')) kind.request.tenant = std::string(CutAfter(rest, '/'));
    if (!rest.empty()) kind.request.sla_class = std::string(rest);
    if (kind.name.empty()) return refuse("names neither a class nor a tenant nor a deadline");
    for (const RequestKind& other : kinds) {
      if (other.name == kind.name) return refuse("comes twice");
    }
    kinds.push_back(std::move(kind));
  }
  return kinds;
}

}  // namespace anybit::client
