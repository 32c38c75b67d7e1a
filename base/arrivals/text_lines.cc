#include "base/arrivals/text_lines.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace anybit {
namespace {

// "12", "12.5", ".5" and "12." without a detour over double, which beyond 104 days cannot tell nanoseconds apart.
std::optional<Duration> ParsePlainTime(absl::string_view text, const TimeUnit& unit) {
  const size_t point = std::min(text.find('.'), text.size());
  const absl::string_view whole = text.substr(0, point);
  const absl::string_view fraction = text.substr(std::min(point + 1, text.size()));
  const auto digits = [](absl::string_view s) { return std::all_of(s.begin(), s.end(), absl::ascii_isdigit); };
  if (whole.size() + fraction.size() == 0 || !digits(whole) || !digits(fraction)) return std::nullopt;
  int64_t nanos = 0;
  if (!whole.empty() && (!absl::SimpleAtoi(whole, &nanos) || nanos > unit.Latest())) return std::nullopt;
  for (size_t i = 0; i < static_cast<size_t>(unit.digits); ++i) {
    nanos = nanos * 10 + (i < fraction.size() ? fraction[i] - '0' : 0);
  }
  const auto next = static_cast<size_t>(unit.digits);
  return Duration(nanos + (next < fraction.size() && fraction[next] >= '5' ? 1 : 0));
}

}  // namespace

bool TextLines::Next() {
  while (std::getline(file_, text_)) {
    ++number_;
    line_ = text_;
    if (number_ == 1) absl::ConsumePrefix(&line_, "\xEF\xBB\xBF");  // a byte order mark, as spreadsheets write it
    line_ = absl::StripAsciiWhitespace(line_);
    if (!line_.empty()) return true;
  }
  return false;
}

absl::Status TextLines::Ended() const {
  if (!file_.is_open()) return absl::NotFoundError(absl::StrCat("cannot open ", path_));
  if (file_.bad()) return absl::UnavailableError(absl::StrCat(path_, ": cannot read after line ", number_));
  return absl::OkStatus();
}

void SplitCells(absl::string_view line, std::vector<absl::string_view>& cells) {
  cells.clear();
  for (const absl::string_view cell : absl::StrSplit(line, ',')) cells.push_back(absl::StripAsciiWhitespace(cell));
}

std::optional<Duration> ParseTime(absl::string_view text, const TimeUnit& unit) {
  if (text.find_first_of("eE") == absl::string_view::npos) return ParsePlainTime(text, unit);
  double value = 0;
  if (!absl::SimpleAtod(text, &value)) return std::nullopt;
  // Written so that NaN fails too.
  if (!(value >= 0 && value <= static_cast<double>(unit.Latest() - 1))) return std::nullopt;
  return Duration(std::llround(value * static_cast<double>(unit.nanos)));
}

absl::Status BadTime(const TextLines& lines, absl::string_view name, absl::string_view text, const TimeUnit& unit) {
  return lines.Error(name, " '", text, "', must be a time of 0 to ", unit.Latest(), " ", unit.name);
}

}  // namespace anybit
