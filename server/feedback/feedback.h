// Takes what clients know of answers: whether they were correct.
#ifndef ANYBIT_SERVER_FEEDBACK_FEEDBACK_H_
#define ANYBIT_SERVER_FEEDBACK_FEEDBACK_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "proto/feedback.pb.h"
#include "server/served_versions.h"

namespace anybit::server {

inline constexpr int kMaxFeedbackAnswers = 10'000;

// Counts all answers of `report`, or none. Errors: see proto/feedback.proto. Any thread.
absl::Status TakeFeedback(const ServedVersions& versions, const anybit::v1::ReportRequest& report);

// A report of REST, without its model: {"answers": [{"operating_point": "w8a8", "predicted": 3, "label": 5}]}.
// InvalidArgument, naming the member, if it is another text.
absl::StatusOr<anybit::v1::ReportRequest> ReadFeedback(absl::string_view body);

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_FEEDBACK_FEEDBACK_H_
