// The index of an operating point in its network's table, the one type for it from the wire to the kernels.
//
// It stands on the ground floor because the scheduler and the engine, which know nothing of each other, both carry it.
#ifndef ANYBIT_BASE_POINT_ID_H_
#define ANYBIT_BASE_POINT_ID_H_

#include <cstdint>

namespace anybit {

// Order carries no meaning: neither accuracy nor latency is assumed monotone.
enum class PointId : uint8_t {};

constexpr int ToIndex(PointId id) { return static_cast<int>(id); }
constexpr PointId ToPointId(int index) { return static_cast<PointId>(index); }

}  // namespace anybit

#endif  // ANYBIT_BASE_POINT_ID_H_
