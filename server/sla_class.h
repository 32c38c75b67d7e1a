// A named promise to clients: how soon they are answered and how accurately at least. From configuration.
#ifndef ANYBIT_SERVER_SLA_CLASS_H_
#define ANYBIT_SERVER_SLA_CLASS_H_

#include <string>

#include "base/time.h"

namespace anybit::server {

struct SlaClass {
  std::string name;           // [a-z0-9_-]+, unique; also a label of metrics
  Duration objective{};       // deadline of its requests, from arrival; 0: none
  int accuracy_floor_bp = 0;  // least accuracy of their answers, in basis points (0..10000)
  double weight = 1;          // > 0; what a request counts for beside others' when not all can be served
};

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_SLA_CLASS_H_
