// The edge's description of the served model. It suffices to check a request, not to run one.
#ifndef ANYBIT_SERVER_SERVED_MODEL_H_
#define ANYBIT_SERVER_SERVED_MODEL_H_

#include <cmath>
#include <cstddef>
#include <vector>

#include "model/engine/adaptive_network.h"
#include "server/sla_class.h"
#include "server/tenant.h"

namespace anybit::server {

struct ServedModel {
  model::NetworkDescription network;  // PointId indexes its points
  int max_batch = 1;                  // rows of one request, and of one batch
  std::vector<SlaClass> sla_classes;  // SlaClassId indexes them; the first is that of requests that name none
  std::vector<Tenant> tenants;        // TenantId indexes them; the first is that of requests that name none
};

// The classes that the protocol's `priority` stands for, as indices: priority 1 is the class of the highest weight, 2
// that of the next lower one, ...; of classes with equal weights the first. Empty where all weights are equal: then a
// priority means nothing.
std::vector<size_t> ClassesByPriority(const std::vector<SlaClass>& sla_classes);

// An accuracy in basis points, as floors and responses state it.
inline int ToBasisPoints(double accuracy) { return static_cast<int>(std::lround(accuracy * 10000)); }

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_SERVED_MODEL_H_
