#include "client/request_flags.h"

#include <optional>
#include <string>

#include "absl/flags/flag.h"
#include "base/flag_types.h"

using AccuracyFlag = anybit::WholeNumber<0, 10'000>;
using BitsFlag = anybit::WholeNumber<1, 32>;

ABSL_FLAG(std::string, operating_point, "", "the operating point to run, such as w4a4f; by default the server chooses");
ABSL_FLAG(std::optional<AccuracyFlag>, min_accuracy_bp, std::nullopt,
          "no operating point below this accuracy, in 1/100 %");
ABSL_FLAG(std::optional<BitsFlag>, min_bits, std::nullopt, "no operating point of fewer bits");
ABSL_FLAG(std::string, sla_class, "", "name of a class of the server");
ABSL_FLAG(std::string, tenant, "", "the tenant that the requests belong to");

namespace anybit::client {

InferOptions RequestOfFlags() {
  InferOptions request;
  request.min_accuracy_bp = absl::GetFlag(FLAGS_min_accuracy_bp);
  request.min_bits = absl::GetFlag(FLAGS_min_bits);
  request.operating_point = absl::GetFlag(FLAGS_operating_point);
  request.sla_class = absl::GetFlag(FLAGS_sla_class);
  request.tenant = absl::GetFlag(FLAGS_tenant);
  return request;
}

}  // namespace anybit::client
