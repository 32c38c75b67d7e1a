// A sweep for readers: every run as CSV, the comparison as Markdown, figures as SVG. It makes texts, not files.
//
// Means over traces are plain: each trace counts the same. Policies, workloads and loads stand in the runs' order.
#ifndef ANYBIT_SCHEDULER_SIM_SWEEP_REPORT_H_
#define ANYBIT_SCHEDULER_SIM_SWEEP_REPORT_H_

#include <span>
#include <string>

#include "scheduler/point_table.h"
#include "scheduler/sim/summary.h"
#include "scheduler/sim/sweep.h"

namespace anybit::scheduler::sim {

// A header line and one line per run; a cell is empty where there is no such number.
std::string SweepCsv(std::span<const SweepRun> runs);

// How each policy did over all traces: utility / bound (utility, if there is no bound) in the mean, median, 5th
// percentile and least, attainment and served accuracy. Best first. Markdown, aligned so that it reads as text too.
std::string PolicyTable(std::span<const SweepRun> runs);

// A page: `title`, that table, and for each workload utility / bound of each policy at each load, the means over seeds.
std::string SweepMarkdown(const std::string& title, std::span<const SweepRun> runs);

// Utility / bound, utility, attainment and served accuracy against load: a line per policy, the mean over what `runs`
// have of workloads and seeds. The first policy's line is bold; those of one
// fixed point are dashed.
std::string SweepFigure(std::span<const SweepRun> runs, const std::string& caption);

// Requests per second by the points that served them in time, stacked, and the offered load as a line.
std::string TimelineFigure(const PointTable& points, const Timeline& timeline, const std::string& caption);

}  // namespace anybit::scheduler::sim

#endif  // ANYBIT_SCHEDULER_SIM_SWEEP_REPORT_H_
