// A fleet's day for readers and programs: a table, a figure over the hours, JSON.
#ifndef ANYBIT_SCHEDULER_SIM_FLEET_FLEET_REPORT_H_
#define ANYBIT_SCHEDULER_SIM_FLEET_FLEET_REPORT_H_

#include <span>
#include <string>

#include "scheduler/sim/fleet/fleet.h"

namespace anybit::scheduler::sim {

struct FleetReport {
  std::string policy;
  FleetResult result;
};

// Markdown, a row for each policy.
std::string FleetTable(std::span<const FleetReport> reports);

// Offered load, replicas, attainment and accuracy over the day; a line for each policy. `reports` is not empty.
std::string FleetFigure(std::span<const FleetReport> reports, const std::string& caption);

// An object for each policy, a line each.
std::string FleetJson(std::span<const FleetReport> reports);

}  // namespace anybit::scheduler::sim

#endif  // ANYBIT_SCHEDULER_SIM_FLEET_FLEET_REPORT_H_
