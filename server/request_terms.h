// The terms of a request, from its parameters: until when, by which operating points, for which class and tenant.
#ifndef ANYBIT_SERVER_REQUEST_TERMS_H_
#define ANYBIT_SERVER_REQUEST_TERMS_H_

#include "absl/status/statusor.h"
#include "base/time.h"
#include "scheduler/request.h"
#include "server/parameters.h"
#include "server/served_model.h"

namespace anybit::server {

struct RequestTerms {
  Duration time_limit = Duration::max();  // from arrival: the least of `timeout`, `slo_us` and the class's objective
  scheduler::PointSet allowed;            // not empty
  scheduler::SlaClassId sla_class{};
  scheduler::TenantId tenant{};
};

// InvalidArgument for a wrong value, an unknown name, or demands that no operating point meets. The error names what
// would have been available.
absl::StatusOr<RequestTerms> ReadTerms(const Parameters& parameters, const ServedModel& model);

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_REQUEST_TERMS_H_
