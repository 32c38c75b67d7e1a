#include "model/train/recipe/point_recipe.h"

#include <bit>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "model/format/operating_point.h"

namespace anybit::model::train {
namespace {

// The largest codes for which byte arithmetic stays exact in Winograd's F(2x2), F(2x4) and F(4x4). The steps spread the
// store's codes -127..127 over the limits.
struct FittedPoint {
  const char* name;
  CodeRange weights;
  int highest_code;
  int weight_bits;
  int activation_bits;
};
constexpr FittedPoint kFitted[] = {
    {"w5a6f", {.step = 9, .lo = -14, .hi = 14}, 63, 5, 6},
    {"w4a4f", {.step = 21, .lo = -6, .hi = 6}, 12, 4, 4},
    {"w3a2f", {.step = 51, .lo = -2, .hi = 2}, 2, 3, 2},
};

int BitsOfCodes(int levels) { return std::bit_width(static_cast<unsigned>(levels - 1)); }

absl::StatusOr<PointRecipe> ParseCustom(absl::string_view name, absl::string_view ranges) {
  const std::vector<absl::string_view> parts = absl::StrSplit(ranges, '/');
  int numbers[4] = {};
  bool numeric = parts.size() == 4;
  for (size_t i = 0; numeric && i < 4; ++i) numeric = absl::SimpleAtoi(parts[i], &numbers[i]);
  if (!numeric) {
    return absl::InvalidArgumentError(
        absl::StrCat("operating point '", name, "=", ranges, "' is not NAME=STEP/LO/HI/HIGHEST"));
  }
  PointRecipe point{.name = std::string(name),
                    .weights = {.step = numbers[0], .lo = numbers[1], .hi = numbers[2]},
                    .highest_code = numbers[3]};
  if (absl::Status status = ValidateCodeRange(point.weights); !status.ok()) {
    return absl::InvalidArgumentError(absl::StrCat("operating point '", name, "': ", status.message()));
  }
  if (point.highest_code < 1 || point.highest_code > 255) {
    return absl::InvalidArgumentError(absl::StrCat("operating point '", name, "': highest activation code ",
                                                   point.highest_code, " is outside 1..255"));
  }
  point.weight_bits = BitsOfCodes(point.weights.hi - point.weights.lo + 1);
  point.activation_bits = BitsOfCodes(point.highest_code + 1);
  return point;
}

absl::StatusOr<PointRecipe> ParseName(absl::string_view name) {
  if (name == "fp32") {
    return PointRecipe{.name = "fp32", .full_precision = true, .weight_bits = 32, .activation_bits = 32};
  }
  if (name == "bf16") {
    return PointRecipe{.name = "bf16", .full_precision = true, .weight_bits = 16, .activation_bits = 16};
  }
  for (const FittedPoint& fitted : kFitted) {
    if (name == fitted.name) {
      return PointRecipe{.name = fitted.name,
                         .weights = fitted.weights,
                         .highest_code = fitted.highest_code,
                         .weight_bits = fitted.weight_bits,
                         .activation_bits = fitted.activation_bits};
    }
  }
  const bool standard = name.size() == 4 && name[0] == 'w' && name[2] == 'a' && name[1] >= '1' && name[1] <= '8' &&
                        name[3] >= '1' && name[3] <= '8';
  if (!standard) {
    return absl::InvalidArgumentError(
        absl::StrCat("unknown operating point '", name,
                     "': expected fp32, bf16, w<1..8>a<1..8>, w5a6f, w4a4f, w3a2f or NAME=STEP/LO/HI/HIGHEST"));
  }
  const int weight_bits = name[1] - '0';
  const int activation_bits = name[3] - '0';
  return PointRecipe{.name = std::string(name),
                     .weights = StandardRange(*BitWidth::FromBits(weight_bits)),
                     .highest_code = (1 << activation_bits) - 1,
                     .weight_bits = weight_bits,
                     .activation_bits = activation_bits};
}

absl::StatusOr<PointRecipe> ParsePoint(absl::string_view item) {
  int interval = 1;
  const std::pair<absl::string_view, absl::string_view> timed = absl::StrSplit(item, absl::MaxSplits('@', 1));
  if (timed.first.size() != item.size() && (!absl::SimpleAtoi(timed.second, &interval) || interval < 1)) {
    return absl::InvalidArgumentError(
        absl::StrCat("interval '", timed.second, "' in '", item, "' is not a number >= 1"));
  }
  const std::pair<absl::string_view, absl::string_view> named = absl::StrSplit(timed.first, absl::MaxSplits('=', 1));
  const bool custom = named.first.size() != timed.first.size();
  absl::StatusOr<PointRecipe> point = custom ? ParseCustom(named.first, named.second) : ParseName(timed.first);
  if (point.ok()) point->interval = interval;
  return point;
}

}  // namespace

absl::StatusOr<std::vector<PointRecipe>> ParsePoints(absl::string_view list) {
  std::vector<PointRecipe> points;
  std::set<std::string> names;
  for (absl::string_view item : absl::StrSplit(list, ',')) {
    absl::StatusOr<PointRecipe> point = ParsePoint(absl::StripAsciiWhitespace(item));
    if (!point.ok()) return point.status();
    if (absl::Status status = CheckPointName(point->name); !status.ok()) return status;
    if (!names.insert(point->name).second) {
      return absl::InvalidArgumentError(absl::StrCat("operating point '", point->name, "' is named twice"));
    }
    points.push_back(*std::move(point));
  }
  return points;
}

}  // namespace anybit::model::train
