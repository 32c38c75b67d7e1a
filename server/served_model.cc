#include "server/served_model.h"

#include <algorithm>
#include <numeric>

namespace anybit::server {

std::vector<size_t> ClassesByPriority(const std::vector<SlaClass>& sla_classes) {
  const auto weight = [&](size_t index) { return sla_classes[index].weight; };
  std::vector<size_t> order(sla_classes.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return weight(a) > weight(b); });
  const auto same = [&](size_t a, size_t b) { return weight(a) == weight(b); };
  order.erase(std::unique(order.begin(), order.end(), same), order.end());
  return order.size() > 1 ? order : std::vector<size_t>();
}

}  // namespace anybit::server
