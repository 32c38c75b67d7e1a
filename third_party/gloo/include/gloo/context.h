// What c10d's ProcessGroupGloo.hpp names of gloo::Context: it holds pointers to contexts and makes none.
#pragma once

#include <chrono>
#include <memory>

namespace gloo {

class Context {
 public:
  void setTimeout(std::chrono::milliseconds timeout);
};

}  // namespace gloo
