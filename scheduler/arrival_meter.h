// How fast requests arrive, as averages over several lengths of the past: what a policy may expect of the near future.
#ifndef ANYBIT_SCHEDULER_ARRIVAL_METER_H_
#define ANYBIT_SCHEDULER_ARRIVAL_METER_H_

#include "scheduler/time.h"

namespace anybit {

// Rates are of rows with a deadline, per second, averaged with weights that fade over so many objectives.
struct ArrivalForecast {
  double fast = 0;         // over 0.12 objectives
  double medium = 0;       // over 1.5
  double slow = 0;         // over 12
  double dispersion = 1;   // variance over mean of row counts; 1 for a Poisson process
  Duration objective{};    // typical time from arrival to deadline; zero before the first request with a deadline
};

}  // namespace anybit

#endif  // ANYBIT_SCHEDULER_ARRIVAL_METER_H_
