// The identity of a training run: one line of text with everything that decides its result.
//
// A checkpoint carries the identity of its run, and only a run with the same identity resumes from it. Another recipe,
// data set, seed or start is another run: continuing its checkpoint would silently give a wrong result. Options that
// only affect speed or output (device, threads, intervals, paths) are not part of it.
#ifndef ANYBIT_MODEL_TRAIN_TRAINER_RUN_IDENTITY_H_
#define ANYBIT_MODEL_TRAIN_TRAINER_RUN_IDENTITY_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "model/data/example_set.h"
#include "model/format/network_spec.h"
#include "model/train/recipe/point_recipe.h"
#include "model/train/trainer/trainer_options.h"

namespace anybit::model::train {

// The data set enters as a hash of its labels, the artifact of `options.start` as a hash of its float weights.
std::string RunIdentity(const NetworkSpec& spec, const std::vector<PointRecipe>& points, const ExampleSet& examples,
                        const TrainerOptions& options);

// 64 bits by which the processes of a group compare their identities.
uint64_t HashIdentity(std::string_view identity);

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_TRAINER_RUN_IDENTITY_H_
