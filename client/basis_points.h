// Accuracies as text.
#ifndef ANYBIT_CLIENT_BASIS_POINTS_H_
#define ANYBIT_CLIENT_BASIS_POINTS_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/str_format.h"

namespace anybit::client {

// "93.21 %", or "-" where there is no value.
inline std::string Percent(std::optional<int64_t> basis_points) {
  return basis_points ? absl::StrFormat("%.2f %%", *basis_points / 100.0) : "-";
}

}  // namespace anybit::client

#endif  // ANYBIT_CLIENT_BASIS_POINTS_H_
