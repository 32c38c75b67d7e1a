#include "model/train/test_rates.h"

#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "model/train/rate_report.h"
#include "model/train/recipe/rate_range.h"
#include "model/train/trainer/learning_rate_range.h"

namespace anybit::model::train {

std::string RateJsonPath(const TrainRequest& request) { return WithEnding(request.out, ".rates.json"); }
std::string RateFigurePath(const TrainRequest& request) { return WithEnding(request.out, ".rates.svg"); }

absl::Status TestRates(const Task& task, const TrainRequest& request, std::ostream& progress, bool live,
                       std::ostream& shown) {
  const TrainerOptions& options = request.options;
  const bool joint = options.start_steps == 0;
  if (joint && !options.recipe.joint && request.points.size() != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("a range test of points that are trained one by one takes one of "
                     "them, not ",
                     request.points.size(), " (--points)"));
  }
  const absl::StatusOr<RangeCurve> curve =
      TestRange(task.spec, request.points, *task.training, options, *request.rate_range, progress, live);
  if (!curve.ok()) return curve.status();
  if (options.rank() != 0) return absl::OkStatus();
  const std::string caption =
      absl::StrCat(joint ? "Joint training at all points" : "Training at full precision", ", recipe ", request.label,
                   ", ", task.architecture, " on ", NameOfData(request.data), ", batch ",
                   options.batch * options.processes(), options.sgd ? ", SGD" : ", AdamW");
  for (const auto& [path, text] : {std::pair(RateJsonPath(request), RateJson(*curve, joint ? "joint" : "start")),
                                   std::pair(RateFigurePath(request), RateFigure(*curve, caption))}) {
    if (absl::Status status = ReplaceFile(path, text); !status.ok()) return status;
    shown << "wrote " << path << "\n";
  }
  shown << RateText(*curve) << "\n";
  return absl::OkStatus();
}

}  // namespace anybit::model::train
