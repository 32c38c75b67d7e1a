// Progress of a long run: one line, rewritten in place on a terminal, else printed now and then.
#ifndef ANYBIT_MODEL_TRAIN_TRAINER_PROGRESS_H_
#define ANYBIT_MODEL_TRAIN_TRAINER_PROGRESS_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <ostream>
#include <string>

namespace anybit {

// "[====    ] 40/100  0.21 s/step  left 0:13  <text>"; `done` of `total` steps, of which this process did `here`.
std::string ProgressText(int64_t done, int64_t total, int64_t here, double seconds, const std::string& text);

class ProgressLine {
 public:
  // `done` steps are behind us already. On a terminal (`live`) the line changes a few times a second; elsewhere there
  // is one line every `interval` steps, and at the end.
  ProgressLine(std::ostream& out, bool live, int64_t interval, int64_t total, int64_t done);

  // `text` is asked for only if the line is shown: it may have to wait for a device.
  void Show(int64_t done, const std::function<std::string()>& text);

  // A line of its own.
  void Say(const std::string& text);

 private:
  std::ostream& out_;
  const bool live_;
  const int64_t interval_, total_, first_;
  const std::chrono::steady_clock::time_point start_;
  std::chrono::steady_clock::time_point shown_;
};

}  // namespace anybit

#endif  // ANYBIT_MODEL_TRAIN_TRAINER_PROGRESS_H_
