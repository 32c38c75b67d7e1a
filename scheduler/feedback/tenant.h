// The tenants that share the server, and how much each has taken lately of its share.
//
// It matters in overload only: requests of tenants within their share count in full, and those of a tenant that takes
// more count the less the more it takes. So a flood pushes out its own requests, not those of others.
#ifndef ANYBIT_SCHEDULER_FEEDBACK_TENANT_H_
#define ANYBIT_SCHEDULER_FEEDBACK_TENANT_H_

#include <span>
#include <vector>

#include "base/time.h"
#include "scheduler/request.h"

namespace anybit::scheduler {

struct TenantView {
  double share = 1;        // of the capacity, beside the others' shares; above 0
  double recent_rows = 0;  // admitted lately, older ones counting less
  double weight = 1;       // of its requests beside those of others, 0..1: 1 while it keeps to its share
};

class TenantMeter {
 public:
  // One tenant for each share, by TenantId; requests of other ids are not counted.
  explicit TenantMeter(std::vector<double> shares);

  // `rows` of a tenant were admitted; fewer than 0: some were taken back. Instants never go back. `objective` is the
  // unit in which rows are forgotten (ArrivalForecast::objective).
  void Count(MonoTime at, TenantId tenant, int rows, Duration objective);

  std::span<const TenantView> tenants() const { return tenants_; }

 private:
  void Weigh();

  std::vector<TenantView> tenants_;
  MonoTime last_{};
};

}  // namespace anybit::scheduler

#endif  // ANYBIT_SCHEDULER_FEEDBACK_TENANT_H_
