// Finds the fastest candidate kernel of each layer by timing whole networks.
//
// The tuner knows candidates by index only: an engine says how many each layer has and runs the trials, so that every
// engine (packed kernels of any instruction set, a device) is tuned by the same rules. A trial runs the whole network,
// each layer with one of its candidates: layers then find the caches as in service, where the next batch uses every
// panel again.
#ifndef ANYBIT_MODEL_ENGINE_KERNEL_TUNER_H_
#define ANYBIT_MODEL_ENGINE_KERNEL_TUNER_H_

#include <array>
#include <chrono>
#include <span>
#include <stop_token>
#include <vector>

#include "model/engine/kernel_choices.h"
#include "model/engine/kernel_chooser.h"

namespace anybit::model {

class TrialRunner {
 public:
  virtual ~TrialRunner() = default;

  // How many times slower a candidate may run only because the processor is in another state: a first turn says no more
  // than that.
  virtual double state_ratio() const { return 1; }

  // Runs kChoiceRows[size] rows, each layer with its candidate of that index, and sets `times` to the time that each
  // layer took. Layers without candidates have index 0, and their times are not read.
  virtual void Run(int size, std::span<const int> candidates, std::span<std::chrono::nanoseconds> times) = 0;
};

// The index of the chosen candidate, by kChoiceRows; of a layer without candidates 0.
using ChosenCandidates = std::array<int, kChoiceRows.size()>;

// Chooses for each layer, of which layer i has candidate_counts[i] candidates, and for each size up to `max_rows`. The
// largest size is measured first and always, then those from one row on while now() < end. Other sizes take the choice
// of the next larger measured size, or of the largest. Nothing runs where no layer has a choice, nor once `stop` is
// requested: then the choices say nothing. `preferred`, by layer, or empty: candidates that others replace only where
// they are clearly faster; -1 for none.
std::vector<ChosenCandidates> TuneKernels(std::span<const int> candidate_counts, int max_rows,
                                          std::chrono::nanoseconds end, const MonotonicClock& now, TrialRunner& trials,
                                          const std::stop_token& stop = {},
                                          std::span<const ChosenCandidates> preferred = {});

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_ENGINE_KERNEL_TUNER_H_
