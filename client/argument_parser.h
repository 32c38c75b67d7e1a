// The command lines of the client programs: --name VALUE, --name=VALUE, --switch, and arguments without a name.
//
// Each option is bound to a variable, which keeps its value unless the option is given. "--" ends the options.
#ifndef ANYBIT_CLIENT_ARGUMENT_PARSER_H_
#define ANYBIT_CLIENT_ARGUMENT_PARSER_H_

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace anybit {

class ArgumentParser {
 public:
  // The targets must outlive Parse. A number outside [min, max] is refused.
  void AddSwitch(const std::string& name, bool* target);
  void AddText(const std::string& name, std::string* target);
  void AddInteger(const std::string& name, int64_t min, int64_t max, std::optional<int64_t>* target);
  void AddReal(const std::string& name, double min, double max, std::optional<double>* target);

  // The arguments without a name, in order. InvalidArgument, naming the option and the value, for anything else.
  absl::StatusOr<std::vector<std::string>> Parse(std::span<const std::string> arguments) const;

 private:
  struct Option {
    bool takes_value;
    std::function<absl::Status(const std::string& value)> set;
  };
  std::map<std::string, Option> options_;
};

}  // namespace anybit

#endif  // ANYBIT_CLIENT_ARGUMENT_PARSER_H_
