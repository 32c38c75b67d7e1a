#include "base/arrivals/arrival_times.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <optional>
#include <random>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "base/arrivals/minute_counts.h"
#include "base/arrivals/text_lines.h"

namespace anybit {
namespace {

constexpr int kMinutesPerDay = 1440;
constexpr size_t kNames = 4;  // columns before the counts
constexpr size_t kTrigger = 3;
constexpr size_t kMostInvocations = 100'000'000;
constexpr absl::string_view kAzureHeader = "HashOwner,HashApp,HashFunction,Trigger,1,...,1440";

absl::Status CheckAzureHeader(const TextLines& lines, std::span<const absl::string_view> cells) {
  constexpr std::array<absl::string_view, kNames> kFirst = {"HashOwner", "HashApp", "HashFunction", "Trigger"};
  if (cells.size() != kNames + kMinutesPerDay) {
    return lines.Error("header has ", cells.size(), " columns, must be the ", kNames + kMinutesPerDay, " of ",
                       kAzureHeader);
  }
  for (size_t c = 0; c < cells.size(); ++c) {
    const bool right = c < kNames ? cells[c] == kFirst[c] : cells[c] == absl::StrCat(c - kNames + 1);
    if (!right) return lines.Error("column ", c + 1, " is '", cells[c], "', the header must be ", kAzureHeader);
  }
  return absl::OkStatus();
}

// Appends what one day's file has of the minutes `from` to `to` of that day, in minutes from `from` plus `offset`.
absl::Status AppendDay(const std::string& path, int from, int to, int offset, std::mt19937_64& random,
                       std::vector<double>& instants) {
  TextLines lines(path);
  std::vector<absl::string_view> cells;
  if (!lines.Next()) {
    if (absl::Status ended = lines.Ended(); !ended.ok()) return ended;
    return lines.Error("no header, must be ", kAzureHeader);
  }
  SplitCells(lines.line(), cells);
  if (absl::Status header = CheckAzureHeader(lines, cells); !header.ok()) return header;
  while (lines.Next()) {
    SplitCells(lines.line(), cells);
    if (cells.size() != kNames + kMinutesPerDay) {
      return lines.Error("has ", cells.size(), " columns, must be ", kNames + kMinutesPerDay);
    }
    for (int minute = from; minute < to; ++minute) {
      const absl::string_view cell = cells[kNames + static_cast<size_t>(minute)];
      int64_t count = 0;
      if (!absl::SimpleAtoi(cell, &count) || count < 0) {
        return lines.Error("minute ", minute + 1, " is '", cell, "', must be a count of 0 or more");
      }
      if (count > static_cast<int64_t>(kMostInvocations - instants.size())) {
        return lines.Error("minute ", minute + 1, " is ", count, ", more than ", kMostInvocations,
                           " invocations in all; ask for fewer minutes");
      }
      const bool timer = cells[kTrigger] == "timer";
      AppendInstants({.minute = minute - from + offset, .count = count, .timer = timer}, random, instants);
    }
  }
  return lines.Ended();
}

}  // namespace

absl::StatusOr<std::vector<MonoTime>> ReadArrivalTimes(const std::string& path) {
  TextLines lines(path);
  std::vector<MonoTime> arrivals;
  while (lines.Next()) {
    const std::optional<Duration> time = ParseTime(lines.line(), kMilliseconds);
    if (!time) return BadTime(lines, "arrival", lines.line(), kMilliseconds);
    arrivals.push_back(MonoTime(*time));
  }
  if (absl::Status ended = lines.Ended(); !ended.ok()) return ended;
  std::sort(arrivals.begin(), arrivals.end());
  return arrivals;
}

absl::StatusOr<std::vector<MonoTime>> ReadAzureInvocations(std::span<const std::string> paths,
                                                           const AzureOptions& options) {
  const auto available = static_cast<int64_t>(paths.size()) * kMinutesPerDay;
  if (options.first_minute < 0 || options.minutes < 1 || int64_t{options.first_minute} + options.minutes > available) {
    return absl::InvalidArgumentError(absl::StrCat(options.minutes, " minutes from ", options.first_minute, " on, the ",
                                                   paths.size(), " files have ", available));
  }
  std::mt19937_64 random(options.seed);
  std::vector<double> instants;
  const int end = options.first_minute + options.minutes;
  for (int day = options.first_minute / kMinutesPerDay; day * kMinutesPerDay < end; ++day) {
    const int midnight = day * kMinutesPerDay;
    const int from = std::max(options.first_minute, midnight);
    const int to = std::min(end, midnight + kMinutesPerDay);
    absl::Status read = AppendDay(paths[static_cast<size_t>(day)], from - midnight, to - midnight,
                                  from - options.first_minute, random, instants);
    if (!read.ok()) return read;
  }
  std::sort(instants.begin(), instants.end());
  std::vector<MonoTime> arrivals;
  arrivals.reserve(instants.size());
  constexpr double kMinute = static_cast<double>(Duration(std::chrono::minutes(1)).count());
  for (const double instant : instants) arrivals.push_back(MonoTime(Duration(std::llround(instant * kMinute))));
  return arrivals;
}

absl::StatusOr<std::vector<MonoTime>> ReadRecording(const std::string& arrival_times, absl::string_view azure,
                                                    const AzureOptions& azure_part) {
  if (azure.empty()) return ReadArrivalTimes(arrival_times);
  const std::vector<std::string> paths = absl::StrSplit(azure, ',');
  return ReadAzureInvocations(paths, azure_part);
}

void StretchTo(double per_second, std::vector<MonoTime>& arrivals) {
  if (arrivals.size() < 2 || arrivals.back() == arrivals.front()) return;
  const MonoTime start = arrivals.front();
  const double wanted = static_cast<double>(arrivals.size() - 1) / per_second;
  const double ratio = wanted / ToSeconds(arrivals.back() - start);
  for (MonoTime& arrival : arrivals) {
    arrival = start + Duration(std::llround(static_cast<double>((arrival - start).count()) * ratio));
  }
}

}  // namespace anybit
