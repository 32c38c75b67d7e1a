#include "scheduler/sim/traces/arrival_files.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <fstream>
#include <limits>
#include <optional>
#include <random>
#include <sstream>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "base/file.h"
#include "scheduler/sim/traces/minute_counts.h"

namespace anybit::scheduler::sim {
namespace {

// The lines of a file that are not blank, without their ends.
class Lines {
 public:
  explicit Lines(const std::string& path) : path_(path), file_(path) {}

  // False at the end, and when opening or reading fails.
  bool Next() {
    while (std::getline(file_, text_)) {
      ++number_;
      line_ = text_;
      if (number_ == 1) absl::ConsumePrefix(&line_, "\xEF\xBB\xBF");  // a byte order mark, as spreadsheets write it
      line_ = absl::StripAsciiWhitespace(line_);
      if (!line_.empty()) return true;
    }
    return false;
  }
  absl::string_view line() const { return line_; }
  int64_t number() const { return number_; }

  // Why Next() is false.
  absl::Status Ended() const {
    if (!file_.is_open()) return absl::NotFoundError(absl::StrCat("cannot open ", path_));
    if (file_.bad()) return absl::UnavailableError(absl::StrCat(path_, ": cannot read after line ", number_));
    return absl::OkStatus();
  }

  template <typename... Parts>
  absl::Status Error(const Parts&... parts) const {
    return absl::InvalidArgumentError(absl::StrCat(path_, ":", number_, ": ", parts...));
  }

 private:
  const std::string path_;
  std::ifstream file_;
  std::string text_;
  absl::string_view line_;
  int64_t number_ = 0;
};

// The cells of a line, without the blanks around them.
void Split(absl::string_view line, std::vector<absl::string_view>& cells) {
  cells.clear();
  for (const absl::string_view cell : absl::StrSplit(line, ',')) cells.push_back(absl::StripAsciiWhitespace(cell));
}

struct Unit {
  const char* name;
  int digits;     // after the point, down to nanoseconds
  int64_t nanos;  // 10^digits
};
constexpr Unit kMicroseconds = {"us", 3, 1000};
constexpr Unit kMilliseconds = {"ms", 6, 1'000'000};

// Below kNever for every unit, so that no instant that is read means "none".
constexpr int64_t LatestIn(const Unit& unit) { return Duration::max().count() / unit.nanos - 1; }

// "12", "12.5", ".5" and "12." without a detour over double, which beyond 104 days cannot tell nanoseconds apart.
std::optional<Duration> ParsePlainTime(absl::string_view text, const Unit& unit) {
  const size_t point = std::min(text.find('.'), text.size());
  const absl::string_view whole = text.substr(0, point);
  const absl::string_view fraction = text.substr(std::min(point + 1, text.size()));
  const auto digits = [](absl::string_view s) { return std::all_of(s.begin(), s.end(), absl::ascii_isdigit); };
  if (whole.size() + fraction.size() == 0 || !digits(whole) || !digits(fraction)) return std::nullopt;
  int64_t nanos = 0;
  if (!whole.empty() && (!absl::SimpleAtoi(whole, &nanos) || nanos > LatestIn(unit))) return std::nullopt;
  for (size_t i = 0; i < static_cast<size_t>(unit.digits); ++i) {
    nanos = nanos * 10 + (i < fraction.size() ? fraction[i] - '0' : 0);
  }
  const auto next = static_cast<size_t>(unit.digits);
  return Duration(nanos + (next < fraction.size() && fraction[next] >= '5' ? 1 : 0));
}

// A time from 0 to LatestIn(unit).
std::optional<Duration> ParseTime(absl::string_view text, const Unit& unit) {
  if (text.find_first_of("eE") == absl::string_view::npos) return ParsePlainTime(text, unit);
  double value = 0;
  if (!absl::SimpleAtod(text, &value)) return std::nullopt;
  // Written so that NaN fails too.
  if (!(value >= 0 && value <= static_cast<double>(LatestIn(unit) - 1))) return std::nullopt;
  return Duration(std::llround(value * static_cast<double>(unit.nanos)));
}

absl::Status BadTime(const Lines& lines, absl::string_view name, absl::string_view text, const Unit& unit) {
  return lines.Error(name, " '", text, "', must be a time of 0 to ", LatestIn(unit), " ", unit.name);
}

constexpr std::array<absl::string_view, 6> kColumns = {"id",           "arrival_us", "deadline_us",
                                                       "min_accuracy", "sla_class",  "tenant"};
constexpr size_t kNeeded = 4;
constexpr absl::string_view kHeader = "id,arrival_us,deadline_us,min_accuracy";

// For each column of the file its place in kColumns.
absl::StatusOr<std::vector<size_t>> ParseHeader(const Lines& lines, std::span<const absl::string_view> cells) {
  std::vector<size_t> columns;
  for (const absl::string_view cell : cells) {
    const size_t column = static_cast<size_t>(std::find(kColumns.begin(), kColumns.end(), cell) - kColumns.begin());
    const bool again = std::find(columns.begin(), columns.end(), column) != columns.end();
    const bool in_place = columns.size() < kNeeded ? column == columns.size() : column < kColumns.size();
    if (again || !in_place) {
      return lines.Error("column ", columns.size() + 1, " is '", cell, "', the header must be ", kHeader,
                         "[,sla_class][,tenant]");
    }
    columns.push_back(column);
  }
  if (columns.size() < kNeeded) {
    return lines.Error("header has ", columns.size(), " columns, must be ", kHeader, "[,sla_class][,tenant]");
  }
  return columns;
}

// 0 to 255; empty: 0.
std::optional<uint8_t> ParseSmall(absl::string_view text) {
  int value = 0;
  if (text.empty()) return uint8_t{0};
  if (!absl::SimpleAtoi(text, &value) || value < 0 || value > 255) return std::nullopt;
  return static_cast<uint8_t>(value);
}

absl::Status ParseCell(const Lines& lines, size_t column, absl::string_view cell, OfferedRequest& request) {
  const absl::string_view name = kColumns[column];
  if (name == "id") {
    if (!absl::SimpleAtoi(cell, &request.id)) return lines.Error("id '", cell, "', must be a whole number of 64 bits");
  } else if (name == "arrival_us") {
    const std::optional<Duration> time = ParseTime(cell, kMicroseconds);
    if (!time) return BadTime(lines, name, cell, kMicroseconds);
    request.arrival = MonoTime(*time);
  } else if (name == "deadline_us") {
    if (cell.empty()) return absl::OkStatus();
    const std::optional<Duration> time = ParseTime(cell, kMicroseconds);
    if (!time) return BadTime(lines, name, cell, kMicroseconds);
    request.deadline = MonoTime(*time);
  } else if (name == "min_accuracy") {
    if (cell.empty()) return absl::OkStatus();
    const bool number = absl::SimpleAtod(cell, &request.min_accuracy);
    if (!number || !(request.min_accuracy >= 0 && request.min_accuracy <= 1)) {
      return lines.Error("min_accuracy '", cell, "', must be 0 to 1");
    }
  } else {
    const std::optional<uint8_t> small = ParseSmall(cell);
    if (!small) return lines.Error(name, " '", cell, "', must be a whole number of 0 to 255");
    if (name == "sla_class") request.sla_class = SlaClassId{*small};
    if (name == "tenant") request.tenant = TenantId{*small};
  }
  return absl::OkStatus();
}

absl::StatusOr<OfferedRequest> ParseRequest(const Lines& lines, std::span<const size_t> columns,
                                            std::span<const absl::string_view> cells) {
  if (cells.size() != columns.size()) {
    return lines.Error("has ", cells.size(), " columns, the header has ", columns.size());
  }
  OfferedRequest request;
  for (size_t c = 0; c < cells.size(); ++c) {
    if (absl::Status parsed = ParseCell(lines, columns[c], cells[c], request); !parsed.ok()) return parsed;
  }
  if (request.deadline < request.arrival) {
    return lines.Error("deadline_us ", cells[2], " is before arrival_us ", cells[1]);
  }
  return request;
}

// In microseconds, exact, without zeros at the end.
std::string MicrosText(MonoTime time) {
  const int64_t nanos = time.time_since_epoch().count();
  std::string text = absl::StrFormat("%d.%03d", nanos / 1000, nanos % 1000);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text;
}

// The shortest text that reads back as the same number.
std::string NumberText(double value) {
  std::array<char, 32> text;
  const std::to_chars_result end = std::to_chars(text.data(), text.data() + text.size(), value);
  return std::string(text.data(), end.ptr);
}

absl::Status ValidateForFile(std::span<const OfferedRequest> requests) {
  constexpr MonoTime kLatest(Duration(LatestIn(kMicroseconds) * kMicroseconds.nanos));
  absl::flat_hash_map<int64_t, size_t> places;
  for (size_t i = 0; i < requests.size(); ++i) {
    const OfferedRequest& request = requests[i];
    const auto error = [&](const auto&... parts) {
      return absl::InvalidArgumentError(absl::StrCat("request ", request.id, parts...));
    };
    if (!places.emplace(request.id, i).second) return error(" occurs twice");
    if (request.arrival < MonoTime() || request.arrival > kLatest) {
      return error(" arrives at ", request.arrival.time_since_epoch().count(), " ns, allowed are 0 to ",
                   kLatest.time_since_epoch().count());
    }
    if (request.deadline < request.arrival) return error(" has its deadline before its arrival");
    if (request.deadline > kLatest && request.deadline != kNever) {
      return error(" has its deadline at ", request.deadline.time_since_epoch().count(), " ns, allowed are up to ",
                   kLatest.time_since_epoch().count());
    }
    if (!(request.min_accuracy >= 0 && request.min_accuracy <= 1)) {
      return error(" has least accuracy ", request.min_accuracy, ", must be 0 to 1");
    }
  }
  return absl::OkStatus();
}

constexpr int kMinutesPerDay = 1440;
constexpr size_t kNames = 4;  // columns before the counts
constexpr size_t kTrigger = 3;
constexpr size_t kMostInvocations = 100'000'000;
constexpr absl::string_view kAzureHeader = "HashOwner,HashApp,HashFunction,Trigger,1,...,1440";

absl::Status CheckAzureHeader(const Lines& lines, std::span<const absl::string_view> cells) {
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
  Lines lines(path);
  std::vector<absl::string_view> cells;
  if (!lines.Next()) {
    if (absl::Status ended = lines.Ended(); !ended.ok()) return ended;
    return lines.Error("no header, must be ", kAzureHeader);
  }
  Split(lines.line(), cells);
  if (absl::Status header = CheckAzureHeader(lines, cells); !header.ok()) return header;
  while (lines.Next()) {
    Split(lines.line(), cells);
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

absl::StatusOr<std::vector<OfferedRequest>> ReadRequests(const std::string& path) {
  Lines lines(path);
  std::vector<absl::string_view> cells;
  if (!lines.Next()) {
    if (absl::Status ended = lines.Ended(); !ended.ok()) return ended;
    return lines.Error("no header, must be ", kHeader);
  }
  Split(lines.line(), cells);
  const absl::StatusOr<std::vector<size_t>> columns = ParseHeader(lines, cells);
  if (!columns.ok()) return columns.status();

  std::vector<OfferedRequest> requests;
  absl::flat_hash_map<int64_t, int64_t> line_of_id;
  while (lines.Next()) {
    Split(lines.line(), cells);
    const absl::StatusOr<OfferedRequest> request = ParseRequest(lines, *columns, cells);
    if (!request.ok()) return request.status();
    const auto [known, is_new] = line_of_id.emplace(request->id, lines.number());
    if (!is_new) return lines.Error("id ", request->id, " is also in line ", known->second, ", must be unique");
    requests.push_back(*request);
    requests.back().place = static_cast<int64_t>(requests.size()) - 1;
  }
  if (absl::Status ended = lines.Ended(); !ended.ok()) return ended;
  std::stable_sort(requests.begin(), requests.end(),
                   [](const OfferedRequest& a, const OfferedRequest& b) { return a.arrival < b.arrival; });
  return requests;
}

absl::Status WriteRequests(const std::string& path, std::span<const OfferedRequest> requests) {
  if (absl::Status valid = ValidateForFile(requests); !valid.ok()) return valid;
  const bool marked = std::any_of(requests.begin(), requests.end(), [](const OfferedRequest& request) {
    return request.sla_class != SlaClassId{} || request.tenant != TenantId{};
  });
  std::ostringstream file;
  file << kHeader << (marked ? ",sla_class,tenant\n" : "\n");
  for (const OfferedRequest& request : requests) {
    file << request.id << ',' << MicrosText(request.arrival) << ','
         << (request.deadline == kNever ? "" : MicrosText(request.deadline)) << ',' << NumberText(request.min_accuracy);
    if (marked) file << ',' << static_cast<int>(request.sla_class) << ',' << static_cast<int>(request.tenant);
    file << '\n';
  }
  return ReplaceFile(path, std::move(file).str());
}

absl::StatusOr<std::vector<MonoTime>> ReadArrivalTimes(const std::string& path) {
  Lines lines(path);
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

}  // namespace anybit::scheduler::sim
