#include "server/request_terms.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "server/shown_text.h"

namespace anybit::server {
namespace {

// Which of the `configured` SLA classes or tenants the parameter names: their index; the first if it is absent.
template <typename Named>
absl::StatusOr<size_t> FindNamed(const Parameters& parameters, const char* parameter,
                                 const std::vector<Named>& configured) {
  constexpr size_t kMaxShown = 16;
  const auto name = StringParameter(parameters, parameter);
  if (!name.ok()) return name.status();
  if (!name->has_value()) return 0;
  std::vector<absl::string_view> known;
  for (size_t i = 0; i < configured.size(); ++i) {
    if (configured[i].name == **name) return i;
    if (i < kMaxShown) known.push_back(configured[i].name);
  }
  return absl::InvalidArgumentError(absl::StrCat("unknown '", parameter, "' ", ShownText(**name),
                                                 ", known: ", absl::StrJoin(known, ", "),
                                                 known.size() < configured.size() ? ", ..." : ""));
}

// The class that `priority` stands for; that of the class named, or the first, where it is absent, 0 or beyond the
// levels. Its type is checked with those of foreign parameters.
size_t ClassOfPriority(const Parameters& parameters, size_t named, const std::vector<SlaClass>& sla_classes) {
  const auto found = parameters.find("priority");
  if (found == parameters.end() || parameters.contains("sla_class")) return named;
  const inference::InferParameter& value = found->second;
  const uint64_t priority = value.has_uint64_param() ? value.uint64_param() : std::max<int64_t>(value.int64_param(), 0);
  if (priority == 0) return named;
  const std::vector<size_t> levels = ClassesByPriority(sla_classes);
  return priority <= levels.size() ? levels[priority - 1] : named;
}

absl::StatusOr<Duration> FindTimeLimit(const Parameters& parameters, const SlaClass& sla_class) {
  Duration limit = sla_class.objective > Duration::zero() ? sla_class.objective : Duration::max();
  for (const char* name : {"timeout", "slo_us"}) {
    const auto micros = BoundedParameter(parameters, name, 0, std::numeric_limits<int64_t>::max());
    if (!micros.ok()) return micros.status();
    if (micros->value_or(0) > 0) limit = std::min(limit, SaturatingMicros(**micros));
  }
  return limit;
}

// What an operating point must have.
struct Demands {
  int64_t accuracy_bp = 0;  // the highest of the floors of request, class and tenant
  int64_t bits = 0;
  std::optional<std::string> name;
};

absl::StatusOr<Demands> ReadDemands(const Parameters& parameters, const SlaClass& sla_class, const Tenant& tenant) {
  const auto floor = BoundedParameter(parameters, "min_accuracy_bp", 0, 10000);
  if (!floor.ok()) return floor.status();
  const auto bits = BoundedParameter(parameters, "min_bits", 0, 32);
  if (!bits.ok()) return bits.status();
  const auto name = StringParameter(parameters, "operating_point");
  if (!name.ok()) return name.status();
  return Demands{
      .accuracy_bp = std::max<int64_t>({floor->value_or(0), sla_class.accuracy_floor_bp, tenant.accuracy_floor_bp}),
      .bits = bits->value_or(0),
      .name = *name};
}

scheduler::PointSet PointsThatMeet(const Demands& demands, const std::vector<model::OperatingPoint>& points) {
  scheduler::PointSet allowed;
  for (size_t i = 0; i < points.size(); ++i) {
    if (demands.name.has_value() && points[i].name != *demands.name) continue;
    if (ToBasisPoints(points[i].accuracy) < demands.accuracy_bp || points[i].weight_bits < demands.bits) continue;
    allowed = allowed.With(ToPointId(static_cast<int>(i)));
  }
  return allowed;
}

// Why no point meets `demands`, and what there is instead.
absl::Status NoPointMeets(const Demands& demands, const std::vector<model::OperatingPoint>& points) {
  int best_accuracy = 0, most_bits = 0;
  bool is_known = !demands.name.has_value();
  std::vector<absl::string_view> names;
  for (const model::OperatingPoint& point : points) {
    best_accuracy = std::max(best_accuracy, ToBasisPoints(point.accuracy));
    most_bits = std::max(most_bits, point.weight_bits);
    names.push_back(point.name);
    is_known = is_known || point.name == *demands.name;
  }
  if (!is_known) {
    return absl::InvalidArgumentError(
        absl::StrCat("unknown 'operating_point' ", ShownText(*demands.name), ", known: ", absl::StrJoin(names, ", ")));
  }
  if (demands.accuracy_bp > best_accuracy) {
    return absl::InvalidArgumentError(absl::StrCat("no operating point has an accuracy of ", demands.accuracy_bp,
                                                   " basis points, the best available has ", best_accuracy));
  }
  if (demands.bits > most_bits) {
    return absl::InvalidArgumentError(
        absl::StrCat("no operating point has ", demands.bits, " bits, the most available is ", most_bits));
  }
  return absl::InvalidArgumentError(absl::StrCat(
      demands.name.has_value() ? absl::StrCat("operating point ", ShownText(*demands.name), " does not have")
                               : std::string("no operating point has both"),
      " an accuracy of at least ", demands.accuracy_bp, " basis points and at least ", demands.bits, " bits"));
}

}  // namespace

absl::StatusOr<RequestTerms> ReadTerms(const Parameters& parameters, const ServedModel& model) {
  const absl::StatusOr<size_t> named_class = FindNamed(parameters, "sla_class", model.sla_classes);
  if (!named_class.ok()) return named_class.status();
  const absl::StatusOr<size_t> tenant_index = FindNamed(parameters, "tenant", model.tenants);
  if (!tenant_index.ok()) return tenant_index.status();
  const size_t class_index = ClassOfPriority(parameters, *named_class, model.sla_classes);
  const SlaClass& sla_class = model.sla_classes[class_index];
  const absl::StatusOr<Duration> limit = FindTimeLimit(parameters, sla_class);
  if (!limit.ok()) return limit.status();
  const absl::StatusOr<Demands> demands = ReadDemands(parameters, sla_class, model.tenants[*tenant_index]);
  if (!demands.ok()) return demands.status();
  const scheduler::PointSet allowed = PointsThatMeet(*demands, model.network.points);
  if (allowed.empty()) return NoPointMeets(*demands, model.network.points);
  return RequestTerms{.time_limit = *limit,
                      .allowed = allowed,
                      .sla_class = static_cast<scheduler::SlaClassId>(class_index),
                      .tenant = static_cast<scheduler::TenantId>(*tenant_index)};
}

}  // namespace anybit::server
