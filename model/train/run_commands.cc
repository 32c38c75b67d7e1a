#include "model/train/run_commands.h"

#include <map>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "model/train/run_statistics.h"

namespace anybit::model::train {
namespace {

// `command` without the numbers in "seed=1" and "seed1".
std::string WithoutSeeds(absl::string_view command) {
  std::string rest;
  for (size_t i = 0; i < command.size(); ++i) {
    rest += command[i];
    if (!absl::EndsWith(rest, "seed") && !absl::EndsWith(rest, "seed=")) continue;
    while (i + 1 < command.size() && absl::ascii_isdigit(static_cast<unsigned char>(command[i + 1]))) ++i;
  }
  return rest;
}

// `command` without its --points.
std::string WithoutPoints(const std::string& command) {
  std::vector<std::string> words = absl::StrSplit(command, ' ');
  std::erase_if(words, [](const std::string& word) { return absl::StartsWith(word, "--points="); });
  return absl::StrJoin(words, " ");
}

}  // namespace

absl::Status CheckAlike(std::span<const TrainingRun> runs) {
  // The first command by recipe and point; by recipe and "" for runs without a common point, compared without --points.
  std::map<std::pair<std::string, std::string>, std::string> commands;
  for (const TrainingRun& run : runs) {
    std::vector<std::string> names = {""};
    for (const PointResult& point : run.points()) names.push_back(point.name());
    for (const std::string& name : names) {
      const std::string& first = commands.emplace(std::pair(run.recipe(), name), run.command()).first->second;
      std::string one = WithoutSeeds(first), other = WithoutSeeds(run.command());
      if (name.empty()) one = WithoutPoints(one), other = WithoutPoints(other);
      if (one == other) continue;
      return absl::InvalidArgumentError(absl::StrCat(
          "runs called '", run.recipe(), "' differ in more than their seeds: [", first, "] and [", run.command(), "]"));
    }
  }
  return absl::OkStatus();
}

std::vector<std::string> DistinctCommands(std::span<const TrainingRun> runs) {
  std::vector<std::string> commands, known;
  for (const TrainingRun& run : runs) {
    const size_t before = known.size();
    AddNew(known, WithoutSeeds(run.command()));
    if (!run.command().empty() && known.size() > before) commands.push_back(run.command());
  }
  return commands;
}

}  // namespace anybit::model::train
