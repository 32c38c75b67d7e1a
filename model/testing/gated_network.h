// A small network with every activation table, gates, convolutions of a global pool, and padding with codes that stand
// for 0 without being 0.
#ifndef ANYBIT_MODEL_TESTING_GATED_NETWORK_H_
#define ANYBIT_MODEL_TESTING_GATED_NETWORK_H_

#include "model/format/network_spec.h"

namespace anybit::model {

NetworkSpec GatedNetwork();

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_TESTING_GATED_NETWORK_H_
