// Who shares the server, as policies and admission see it.
#ifndef ANYBIT_SCHEDULER_TENANT_H_
#define ANYBIT_SCHEDULER_TENANT_H_

namespace anybit {

struct TenantView {
  double share = 1;         // of the capacity, beside the others' shares; > 0
  double recent_rows = 0;   // admitted lately, older ones counting less
};

}  // namespace anybit

#endif  // ANYBIT_SCHEDULER_TENANT_H_
