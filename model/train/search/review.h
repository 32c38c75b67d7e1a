// What the scores that a journal holds say of a search: how good its choices are among all known routes, and how well
// its penalties order routes.
#ifndef ANYBIT_MODEL_TRAIN_SEARCH_REVIEW_H_
#define ANYBIT_MODEL_TRAIN_SEARCH_REVIEW_H_

#include "model/train/search/journal.h"
#include "model/train/search/methods.h"
#include "model/train/search/route.h"
#include "model/train/search/search_report.h"

namespace anybit::model::train {

// Sets `best` of each point with a budget, and `agreement` where there are penalties. Penalties are taken from uniform
// routes and from those that differ from one in a single layer, so the others are asked.
void Review(const Journal& journal, const SearchSpace& space, const Ladder& ladder, SearchReport& report);

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_SEARCH_REVIEW_H_
