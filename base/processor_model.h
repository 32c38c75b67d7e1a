#ifndef ANYBIT_BASE_PROCESSOR_MODEL_H_
#define ANYBIT_BASE_PROCESSOR_MODEL_H_

#include <string>

namespace anybit {

// The processor's name as /proc/cpuinfo tells it; "" if it does not.
std::string ProcessorModel();

}  // namespace anybit

#endif  // ANYBIT_BASE_PROCESSOR_MODEL_H_
