#include "client/argument_parser.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace anybit {

void ArgumentParser::AddSwitch(const std::string& name, bool* target) {
  options_[name] = {.takes_value = false, .set = [target](const std::string&) {
                      *target = true;
                      return absl::OkStatus();
                    }};
}

void ArgumentParser::AddText(const std::string& name, std::string* target) {
  options_[name] = {.takes_value = true, .set = [target](const std::string& value) {
                      *target = value;
                      return absl::OkStatus();
                    }};
}

void ArgumentParser::AddInteger(const std::string& name, int64_t min, int64_t max, std::optional<int64_t>* target) {
  options_[name] = {.takes_value = true, .set = [=](const std::string& value) -> absl::Status {
                      int64_t number;
                      if (!absl::SimpleAtoi(value, &number) || number < min || number > max) {
                        return absl::InvalidArgumentError(absl::StrCat("--", name, " takes a whole number from ", min,
                                                                       " to ", max, ", not '", value, "'"));
                      }
                      *target = number;
                      return absl::OkStatus();
                    }};
}

void ArgumentParser::AddReal(const std::string& name, double min, double max, std::optional<double>* target) {
  options_[name] = {.takes_value = true, .set = [=](const std::string& value) -> absl::Status {
                      double number;
                      // Written so that a NaN is refused.
                      if (!absl::SimpleAtod(value, &number) || !(number >= min && number <= max)) {
                        return absl::InvalidArgumentError(
                            absl::StrCat("--", name, " takes a number from ", min, " to ", max, ", not '", value, "'"));
                      }
                      *target = number;
                      return absl::OkStatus();
                    }};
}

absl::StatusOr<std::vector<std::string>> ArgumentParser::Parse(std::span<const std::string> arguments) const {
  std::vector<std::string> unnamed;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    if (argument == "--") {
      unnamed.insert(unnamed.end(), arguments.begin() + i + 1, arguments.end());
      break;
    }
    if (!argument.starts_with("--")) {
      unnamed.push_back(argument);
      continue;
    }
    const size_t equals = argument.find('=');
    const std::string name = argument.substr(2, equals == std::string::npos ? equals : equals - 2);
    const auto option = options_.find(name);
    if (option == options_.end()) return absl::InvalidArgumentError(absl::StrCat("unknown option --", name));
    std::string value;
    if (!option->second.takes_value) {
      if (equals != std::string::npos) return absl::InvalidArgumentError(absl::StrCat("--", name, " takes no value"));
    } else if (equals != std::string::npos) {
      value = argument.substr(equals + 1);
    } else if (i + 1 < arguments.size()) {
      value = arguments[++i];
    } else {
      return absl::InvalidArgumentError(absl::StrCat("--", name, " needs a value"));
    }
    if (absl::Status status = option->second.set(value); !status.ok()) return status;
  }
  return unnamed;
}

}  // namespace anybit
