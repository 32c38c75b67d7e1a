// A named sharer of the server: what it is entitled to when not all can be served, and how accurately it is answered at
// least. From configuration.
#ifndef ANYBIT_SERVER_TENANT_H_
#define ANYBIT_SERVER_TENANT_H_

#include <string>

namespace anybit::server {

struct Tenant {
  std::string name;           // [a-z0-9_-]+, unique; also a label of metrics
  double share = 1;           // > 0; of the capacity, beside the other tenants' shares
  int accuracy_floor_bp = 0;  // least accuracy of its answers, in basis points (0..10000)
};

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_TENANT_H_
