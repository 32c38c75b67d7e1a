// The progress line of a long run: rewritten in place on a terminal, else printed at intervals.
#ifndef ANYBIT_MODEL_TRAIN_TRAINER_PROGRESS_H_
#define ANYBIT_MODEL_TRAIN_TRAINER_PROGRESS_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <ostream>
#include <string>

namespace anybit::model::train {

// "[====    ] 40/100  0.21 s/step  left 0:13  <text>". `done` of `total` steps are finished; this process ran `here` of
// them in `seconds`.
std::string ProgressText(int64_t done, int64_t total, int64_t here, double seconds, const std::string& text);

class ProgressLine {
 public:
  // `done` steps were finished earlier. On a terminal (`live`) the line changes at most five times a second; elsewhere
  // a line is printed every `interval` steps and at the end.
  ProgressLine(std::ostream& out, bool live, int64_t interval, int64_t total, int64_t done);

  // Calls `text` only if the line is shown: it may have to wait for a device.
  void Show(int64_t done, const std::function<std::string()>& text);

  // Prints a separate line.
  void Say(const std::string& text);

 private:
  std::ostream& out_;
  const bool live_;
  const int64_t interval_, total_, first_;
  const std::chrono::steady_clock::time_point start_;
  std::chrono::steady_clock::time_point shown_;
};

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_TRAINER_PROGRESS_H_
