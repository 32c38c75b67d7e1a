#include "client/status_command.h"

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "base/json_line.h"
#include "client/basis_points.h"

namespace anybit::client {
namespace {

// The operating points as a table, then the properties that belong to no operating point.
void PrintProperties(const std::map<std::string, std::string>& properties, std::ostream& out) {
  const auto value_of = [&](const std::string& key) {
    const auto found = properties.find(key);
    return found == properties.end() ? std::string() : found->second;
  };
  const std::string points = value_of("operating_points");
  if (!points.empty()) {
    out << absl::StrFormat("%-11s %9s  %11s  %15s\n", "point", "accuracy", "weight bits", "activation bits");
    for (const absl::string_view point : absl::StrSplit(points, ',')) {
      const std::string prefix = absl::StrCat("operating_point.", point, ".");
      int64_t accuracy_bp;
      const bool known = absl::SimpleAtoi(value_of(prefix + "accuracy_bp"), &accuracy_bp);
      out << absl::StrFormat("  %-9s %9s  %11s  %15s\n", point, known ? Percent(accuracy_bp) : "-",
                             value_of(prefix + "weight_bits"), value_of(prefix + "activation_bits"));
    }
  }
  for (const auto& [key, value] : properties) {
    // The labels once only.
    if (key == "labels" && properties.contains("labels_json")) continue;
    if (!key.starts_with("operating_point")) out << absl::StrFormat("%-11s %s\n", key, value);
  }
}

}  // namespace

absl::Status ShowStatus(const ClientCommandOptions& options, InferenceClient& client, std::ostream& out) {
  absl::StatusOr<InferenceClient::ServerStatus> status = client.Status();
  if (!status.ok()) return status.status();
  const ModelDescription& model = client.model();
  const std::string input = absl::StrCat("[n,", absl::StrJoin(model.row_shape, ","), "]");
  if (options.json) {
    JsonLine properties;
    for (const auto& [key, value] : model.properties) properties.Add(key, value);
    out << JsonLine()
               .Add("server", status->name)
               .Add("server_version", status->version)
               .Add("live", status->live)
               .Add("ready", status->ready)
               .Add("extensions", absl::StrJoin(status->extensions, " "))
               .Add("model", model.name)
               .Add("model_version", model.version)
               .Add("platform", model.platform)
               .Add("input", model.input_name)
               .Add("input_shape", input)
               .Add("output", model.output_name)
               .Add("classes", model.classes)
               .Add("properties", properties)
               .text()
        << "\n";
    return absl::OkStatus();
  }
  out << "server      " << status->name << " " << status->version << (status->live ? ", live" : ", not live")
      << (status->ready ? ", ready" : ", not ready") << "\n"
      << "extensions  " << absl::StrJoin(status->extensions, " ") << "\n"
      << "model       " << model.name << " version " << model.version << " (" << model.platform << ")\n"
      << "input       " << model.input_name << " UINT8 " << input << "\n"
      << "output      " << model.output_name << " FP32 [n," << model.classes << "]\n";
  PrintProperties(model.properties, out);
  return absl::OkStatus();
}

}  // namespace anybit::client
