#include "server/feedback/feedback.h"

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/json.h"
#include "server/served_model.h"
#include "server/shown_text.h"

namespace anybit::server {
namespace {

using anybit::v1::LabelledAnswer;
using anybit::v1::ReportRequest;

absl::StatusOr<PointId> FindPoint(const ServedModel& model, absl::string_view name, int answer) {
  const auto& points = model.network.points;
  for (size_t i = 0; i < points.size(); ++i) {
    if (points[i].name == name) return ToPointId(static_cast<int>(i));
  }
  return absl::InvalidArgumentError(absl::StrCat("answer ", answer, ": there is no operating point ", ShownText(name)));
}

absl::Status CheckClass(const ServedModel& model, const char* member, int64_t value, int answer) {
  const int64_t classes = model.network.output.elements;
  if (value >= 0 && value < classes) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("answer ", answer, ": '", member, "' is ", value, ", not a class from 0 to ", classes - 1));
}

absl::Status TooMany(int64_t answers) {
  return absl::InvalidArgumentError(
      absl::StrCat("a report of ", answers, " answers exceeds the limit of ", kMaxFeedbackAnswers));
}

absl::Status NotA(const char* kind, const char* member, size_t answer) {
  return absl::InvalidArgumentError(absl::StrCat("answer ", answer, ": '", member, "' must be ", kind));
}

absl::StatusOr<LabelledAnswer> ReadAnswer(const Json& value, size_t index) {
  LabelledAnswer answer;
  const Json* point = JsonMember(value, "operating_point");
  if (point == nullptr || !point->is_string()) return NotA("a string", "operating_point", index);
  answer.set_operating_point(point->get<std::string>());
  for (const char* member : {"predicted", "label"}) {
    const Json* number = JsonMember(value, member);
    // A larger number would change its sign, and is no class either.
    const bool is_class = number != nullptr && number->is_number_integer() &&
                          (!number->is_number_unsigned() || number->get<uint64_t>() <= INT64_MAX);
    if (!is_class) return NotA("a whole number", member, index);
    (member[0] == 'p') ? answer.set_predicted(number->get<int64_t>()) : answer.set_label(number->get<int64_t>());
  }
  return answer;
}

}  // namespace

absl::Status TakeFeedback(const ServedVersions& versions, const ReportRequest& report) {
  absl::StatusOr<SharedVersion> version = versions.Find(report.model_name(), report.model_version());
  if (!version.ok()) return version.status();
  if (report.answers_size() > kMaxFeedbackAnswers) return TooMany(report.answers_size());
  const ServedModel& model = (*version)->model();
  std::vector<PointId> points;
  for (int i = 0; i < report.answers_size(); ++i) {
    const LabelledAnswer& answer = report.answers(i);
    absl::StatusOr<PointId> point = FindPoint(model, answer.operating_point(), i);
    if (!point.ok()) return point.status();
    absl::Status status = CheckClass(model, "predicted", answer.predicted(), i);
    status.Update(CheckClass(model, "label", answer.label(), i));
    if (!status.ok()) return status;
    points.push_back(*point);
  }
  for (int i = 0; i < report.answers_size(); ++i) {
    (*version)->CountFeedback(points[i], report.answers(i).predicted() == report.answers(i).label());
  }
  return absl::OkStatus();
}

absl::StatusOr<ReportRequest> ReadFeedback(absl::string_view body) {
  const absl::StatusOr<Json> root = ParseJsonObject(body);
  if (!root.ok()) return root.status();
  const Json* answers = JsonMember(*root, "answers");
  if (answers == nullptr || !answers->is_array()) {
    return absl::InvalidArgumentError("a report must have the array 'answers'");
  }
  if (answers->size() > kMaxFeedbackAnswers) return TooMany(static_cast<int64_t>(answers->size()));
  ReportRequest report;
  for (size_t i = 0; i < answers->size(); ++i) {
    absl::StatusOr<LabelledAnswer> answer = ReadAnswer((*answers)[i], i);
    if (!answer.ok()) return answer.status();
    *report.add_answers() = *std::move(answer);
  }
  return report;
}

}  // namespace anybit::server
