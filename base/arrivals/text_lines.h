// Text files of times and counts, read line by line; base/arrivals/arrival_times.h describes what all have in common.
#ifndef ANYBIT_BASE_ARRIVALS_TEXT_LINES_H_
#define ANYBIT_BASE_ARRIVALS_TEXT_LINES_H_

#include <cstdint>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/time.h"

namespace anybit {

// The lines of a file that are not blank, without their ends and a byte order mark.
class TextLines {
 public:
  explicit TextLines(const std::string& path) : path_(path), file_(path) {}

  // False at the end, and when opening or reading fails.
  bool Next();
  absl::string_view line() const { return line_; }
  int64_t number() const { return number_; }

  // Why Next() is false.
  absl::Status Ended() const;

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
void SplitCells(absl::string_view line, std::vector<absl::string_view>& cells);

// The unit of a column of times.
struct TimeUnit {
  const char* name;
  int digits;     // after the point, down to nanoseconds
  int64_t nanos;  // 10^digits

  // Below kNever for every unit, so that no instant that is read means "none".
  constexpr int64_t Latest() const { return Duration::max().count() / nanos - 1; }
};
inline constexpr TimeUnit kMicroseconds = {"us", 3, 1000};
inline constexpr TimeUnit kMilliseconds = {"ms", 6, 1'000'000};

// A time from 0 to unit.Latest().
std::optional<Duration> ParseTime(absl::string_view text, const TimeUnit& unit);

// The error where ParseTime finds none.
absl::Status BadTime(const TextLines& lines, absl::string_view name, absl::string_view text, const TimeUnit& unit);

}  // namespace anybit

#endif  // ANYBIT_BASE_ARRIVALS_TEXT_LINES_H_
