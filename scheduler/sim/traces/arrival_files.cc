#include "scheduler/sim/traces/arrival_files.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <optional>
#include <sstream>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "base/arrivals/text_lines.h"
#include "base/file.h"

namespace anybit::scheduler::sim {
namespace {

constexpr std::array<absl::string_view, 6> kColumns = {"id",           "arrival_us", "deadline_us",
                                                       "min_accuracy", "sla_class",  "tenant"};
constexpr size_t kNeeded = 4;
constexpr absl::string_view kHeader = "id,arrival_us,deadline_us,min_accuracy";

// For each column of the file its place in kColumns.
absl::StatusOr<std::vector<size_t>> ParseHeader(const TextLines& lines, std::span<const absl::string_view> cells) {
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

absl::Status ParseCell(const TextLines& lines, size_t column, absl::string_view cell, OfferedRequest& request) {
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

absl::StatusOr<OfferedRequest> ParseRequest(const TextLines& lines, std::span<const size_t> columns,
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
  constexpr MonoTime kLatest(Duration(kMicroseconds.Latest() * kMicroseconds.nanos));
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

}  // namespace

absl::StatusOr<std::vector<OfferedRequest>> ReadRequests(const std::string& path) {
  TextLines lines(path);
  std::vector<absl::string_view> cells;
  if (!lines.Next()) {
    if (absl::Status ended = lines.Ended(); !ended.ok()) return ended;
    return lines.Error("no header, must be ", kHeader);
  }
  SplitCells(lines.line(), cells);
  const absl::StatusOr<std::vector<size_t>> columns = ParseHeader(lines, cells);
  if (!columns.ok()) return columns.status();

  std::vector<OfferedRequest> requests;
  absl::flat_hash_map<int64_t, int64_t> line_of_id;
  while (lines.Next()) {
    SplitCells(lines.line(), cells);
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

}  // namespace anybit::scheduler::sim
