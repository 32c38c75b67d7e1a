#include "model/train/trainer/progress.h"

#include "absl/strings/str_format.h"

namespace anybit::model::train {
namespace {

constexpr auto kRefreshInterval = std::chrono::milliseconds(200);  // fast enough to look alive, slow enough to read

}  // namespace

std::string ProgressText(int64_t done, int64_t total, int64_t here, double seconds, const std::string& text) {
  constexpr int kWidth = 24;
  const int filled = static_cast<int>(done * kWidth / total);
  const double each = seconds / static_cast<double>(here);
  const int64_t left = static_cast<int64_t>(each * static_cast<double>(total - done));
  const std::string hours = left < 3600 ? "" : absl::StrFormat("%d:", left / 3600);
  return absl::StrFormat("[%s%s] %d/%d  %.2f s/step  left %s%0*d:%02d  %s", std::string(filled, '='),
                         std::string(kWidth - filled, ' '), done, total, each, hours, hours.empty() ? 1 : 2,
                         left / 60 % 60, left % 60, text);
}

ProgressLine::ProgressLine(std::ostream& out, bool live, int64_t interval, int64_t total, int64_t done)
    : out_(out),
      live_(live),
      interval_(interval),
      total_(total),
      first_(done),
      start_(std::chrono::steady_clock::now()) {}

void ProgressLine::Show(int64_t done, const std::function<std::string()>& text) {
  const auto now = std::chrono::steady_clock::now();
  const bool due = live_ ? now - shown_ >= kRefreshInterval : done % interval_ == 0;
  if (!due && done != total_) return;
  shown_ = now;
  const double seconds = std::chrono::duration<double>(now - start_).count();
  out_ << (live_ ? "\r" : "") << ProgressText(done, total_, done - first_, seconds, text()) << (live_ ? "\033[K" : "")
       << (live_ && done != total_ ? "" : "\n") << std::flush;
}

void ProgressLine::Say(const std::string& text) { out_ << (live_ ? "\r\033[K" : "") << text << "\n" << std::flush; }

}  // namespace anybit::model::train
