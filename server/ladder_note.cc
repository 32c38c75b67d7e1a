#include "server/ladder_note.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/point_id.h"
#include "base/time.h"

namespace anybit::server {
namespace {

// Medians of one machine differ by so many percent from measurement to measurement.
constexpr int kScatterPercent = 5;

int PercentSlower(Duration cheaper, Duration dearer) {
  return static_cast<int>(100 * (cheaper - dearer).count() / dearer.count());
}

}  // namespace

std::string LadderNote(const scheduler::Profile& profile) {
  std::vector<std::string> slower;
  for (int cheaper = 1; cheaper < static_cast<int>(profile.points.size()); ++cheaper) {
    int most = 0, rows_of_most = 0;
    for (int rows = 1; rows <= profile.max_batch; ++rows) {
      const int percent = PercentSlower(profile.At(ToPointId(cheaper), rows), profile.At(ToPointId(cheaper - 1), rows));
      if (percent > most) {
        most = percent;
        rows_of_most = rows;
      }
    }
    if (most <= kScatterPercent) continue;
    slower.push_back(absl::StrCat(profile.points[cheaper].name, " is up to ", most, " % slower than ",
                                  profile.points[cheaper - 1].name, " (", rows_of_most, " rows)"));
  }
  if (profile.points.size() < 2) return "ladder: one point";
  if (slower.empty()) return "ladder: each point is at least as fast as the one before it, at every batch size";
  return absl::StrCat("ladder: ", absl::StrJoin(slower, ", "));
}

}  // namespace anybit::server
