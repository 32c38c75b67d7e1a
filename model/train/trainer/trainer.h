// Training of one network at all its operating points, as a Recipe says: the loop and its result.
//
// A full-precision start first; then, at every step, forward and backward at each point that is due, from the highest
// precision to the lowest, then one optimizer step on the shared weights. Chance is an argument: the order of images,
// their augmentation, teachers, swapped blocks and the first weights follow from the seed and the step alone, so a
// resumed run goes on exactly where it stopped.
//
// A pass that has blocks swapped is what it is for others too: its loss counts where a teacher is chosen by it, and
// what it says is what it teaches. The highest point is never swapped.
#ifndef ANYBIT_MODEL_TRAIN_TRAINER_TRAINER_H_
#define ANYBIT_MODEL_TRAIN_TRAINER_TRAINER_H_

#include <ostream>
#include <vector>

#include "absl/status/statusor.h"
#include "model/data/example_set.h"
#include "model/format/artifact.h"
#include "model/train/recipe/point_recipe.h"
#include "model/train/trainer/trainer_options.h"

namespace anybit {

// Trains on `examples` and returns the artifact, its accuracies measured on the held-out part. Progress goes to
// `progress`, one line rewritten in place where `live`. InvalidArgument for options that do not fit; what
// ExampleSet::Read says of an example that cannot be read, after saving what was learned before; Cancelled, saying what
// was saved, where TrainerOptions::stop asks for it; Unavailable where a process of the group is gone; Internal
// where LibTorch fails.
absl::StatusOr<Artifact> Train(const NetworkSpec& spec, const std::vector<PointRecipe>& points,
                               const ExampleSet& examples, const TrainerOptions& options, std::ostream& progress,
                               bool live);

}  // namespace anybit

#endif  // ANYBIT_MODEL_TRAIN_TRAINER_TRAINER_H_
