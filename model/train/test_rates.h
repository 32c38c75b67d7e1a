// The learning-rate range test of anybit-train: runs it and writes its files.
#ifndef ANYBIT_MODEL_TRAIN_TEST_RATES_H_
#define ANYBIT_MODEL_TRAIN_TEST_RATES_H_

#include <ostream>
#include <string>

#include "absl/status/status.h"
#include "model/train/task.h"
#include "model/train/train_flags.h"

namespace anybit::model::train {

// The files of a test beside TrainRequest::out.
std::string RateJsonPath(const TrainRequest& request);
std::string RateFigurePath(const TrainRequest& request);

// Tests the rates of `request.rate_range` and shows the result in `shown`; the first process of a group writes the
// files. The errors of TestRange and of writing.
absl::Status TestRates(const Task& task, const TrainRequest& request, std::ostream& progress, bool live,
                       std::ostream& shown);

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_TEST_RATES_H_
