#include "server/front/refusal.h"

#include <algorithm>
#include <cstdint>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "server/front/header_block.h"

namespace anybit::server {
namespace {

constexpr char kStatus200 = '\x88';  // the static table's eighth header, ":status: 200"
constexpr size_t kTimeoutDigits = 8;

struct TimeoutUnit {
  char letter;
  Duration size;
};
constexpr TimeoutUnit kTimeoutUnits[] = {{'n', std::chrono::nanoseconds(1)},  {'u', std::chrono::microseconds(1)},
                                         {'m', std::chrono::milliseconds(1)}, {'S', std::chrono::seconds(1)},
                                         {'M', std::chrono::minutes(1)},      {'H', std::chrono::hours(1)}};

std::string PercentEncoded(absl::string_view text) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  std::string encoded;
  for (const char c : text) {
    if (c >= ' ' && c <= '~' && c != '%') {
      encoded.push_back(c);
    } else {
      const auto byte = static_cast<uint8_t>(c);
      encoded += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
    }
  }
  return encoded;
}

}  // namespace

std::string RefusalBlock(const grpc::Status& status, std::optional<std::chrono::milliseconds> retry_after) {
  std::string block(1, kStatus200);
  AppendPlainHeader(block, "content-type", "application/grpc");
  AppendPlainHeader(block, "grpc-status", absl::StrCat(static_cast<int>(status.error_code())));
  AppendPlainHeader(block, "grpc-message", PercentEncoded(status.error_message()));
  if (const std::string details = status.error_details(); !details.empty()) {
    std::string text = absl::Base64Escape(details);
    text.erase(text.find_last_not_of('=') + 1);  // as gRPC sends it
    AppendPlainHeader(block, "grpc-status-details-bin", text);
  }
  if (retry_after.has_value()) {
    AppendPlainHeader(block, "grpc-retry-pushback-ms", absl::StrCat(retry_after->count()));
  }
  return block;
}

std::optional<Duration> ParseGrpcTimeout(absl::string_view text) {
  int64_t count = 0;
  if (text.size() < 2 || text.size() > kTimeoutDigits + 1) return std::nullopt;
  const absl::string_view digits = text.substr(0, text.size() - 1);
  if (!std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; })) return std::nullopt;
  if (!absl::SimpleAtoi(digits, &count)) return std::nullopt;
  for (const TimeoutUnit& unit : kTimeoutUnits) {
    if (unit.letter != text.back()) continue;
    return count > Duration::max() / unit.size ? Duration::max() : count * unit.size;
  }
  return std::nullopt;
}

std::string FormatGrpcTimeout(Duration left) {
  constexpr int64_t kMost = 99'999'999;
  for (const TimeoutUnit& unit : kTimeoutUnits) {
    if (unit.letter != 'n' && left / unit.size <= kMost) {
      return absl::StrCat(left / unit.size, absl::string_view(&unit.letter, 1));
    }
  }
  return absl::StrCat(kMost, "H");
}

}  // namespace anybit::server
