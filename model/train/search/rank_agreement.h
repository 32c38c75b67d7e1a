// How alike two lists of numbers order the same things.
#ifndef ANYBIT_MODEL_TRAIN_SEARCH_RANK_AGREEMENT_H_
#define ANYBIT_MODEL_TRAIN_SEARCH_RANK_AGREEMENT_H_

#include <span>

namespace anybit::model::train {

// Kendall's tau-b: 1 for equal orders, -1 for opposite ones; 0 where either has no two different numbers. Both lists
// are of the same length, of which it takes the square in time.
double KendallTau(std::span<const double> a, std::span<const double> b);

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_SEARCH_RANK_AGREEMENT_H_
