// What c10d's ProcessGroupGloo.hpp names of gloo's transport: pointers to what LibTorch makes.
#pragma once

namespace gloo::transport {

class Device;
class UnboundBuffer;

}  // namespace gloo::transport
