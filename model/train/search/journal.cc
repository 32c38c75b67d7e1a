#include "model/train/search/journal.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/file.h"
#include "base/json.h"

namespace anybit::model::train {
namespace {

std::string LineOf(const std::string& route, const Journal::Numbers& numbers) {
  Json json = {{"route", route}};
  for (const auto& [name, value] : numbers) json[name] = value;
  return json.dump() + "\n";
}

}  // namespace

absl::StatusOr<std::unique_ptr<Journal>> Journal::Open(const std::string& path, const std::string& identity,
                                                       bool resume) {
  std::unique_ptr<Journal> journal(new Journal());
  if (path.empty()) return journal;
  if (resume) {
    const absl::StatusOr<std::string> text = ReadFile(path);
    if (!text.ok() && !absl::IsNotFound(text.status())) return text.status();
    if (text.ok()) {
      if (absl::Status status = journal->Read(*text, identity); !status.ok()) {
        return absl::Status(status.code(), absl::StrCat("'", path, "': ", status.message()));
      }
    }
  }
  // Written anew, so that no incomplete line stays.
  std::string text = Json({{"search", identity}}).dump() + "\n";
  for (const auto& [route, numbers] : journal->known_) text += LineOf(route, numbers);
  if (absl::Status status = ReplaceFile(path, text); !status.ok()) return status;
  journal->file_.open(path, std::ios::app);
  if (!journal->file_.is_open()) return absl::UnavailableError(absl::StrCat("cannot append to '", path, "'"));
  return journal;
}

absl::Status Journal::Read(const std::string& text, const std::string& identity) {
  std::vector<std::string> lines = absl::StrSplit(text, '\n');
  lines.pop_back();  // after the last line's end, or an incomplete line
  if (lines.empty()) return absl::OkStatus();
  const absl::StatusOr<Json> head = ParseJsonObject(lines.front());
  const Json* of = head.ok() ? JsonMember(*head, "search") : nullptr;
  if (of == nullptr || !of->is_string()) return absl::InvalidArgumentError("no journal of a search");
  if (of->get<std::string>() != identity) {
    return absl::FailedPreconditionError(
        absl::StrCat("is of another search: ", of->get<std::string>(), "; this one: ", identity));
  }
  for (size_t i = 1; i < lines.size(); ++i) {
    const absl::StatusOr<Json> line = ParseJsonObject(lines[i]);
    const Json* route = line.ok() ? JsonMember(*line, "route") : nullptr;
    if (route == nullptr || !route->is_string()) {
      return absl::InvalidArgumentError(absl::StrCat("line ", i + 1, " has no route"));
    }
    Numbers numbers;
    for (const auto& [name, value] : line->items()) {
      if (value.is_number()) numbers[name] = value.get<double>();
    }
    known_[route->get<std::string>()] = std::move(numbers);
  }
  return absl::OkStatus();
}

const Journal::Numbers* Journal::Find(const std::string& route) const {
  const auto found = known_.find(route);
  return found == known_.end() ? nullptr : &found->second;
}

absl::Status Journal::Add(const std::string& route, const Numbers& numbers) {
  Numbers& known = known_[route];
  known.insert(numbers.begin(), numbers.end());
  if (!file_.is_open()) return absl::OkStatus();
  file_ << LineOf(route, known) << std::flush;
  if (!file_) return absl::UnavailableError("cannot write the journal");
  return absl::OkStatus();
}

}  // namespace anybit::model::train
