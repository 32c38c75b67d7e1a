#include "model/data/passed_over.h"

#include <algorithm>
#include <filesystem>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace anybit::model {

void PassedOver::Add(const std::string& path) {
  Ending& ending = endings_[absl::AsciiStrToLower(std::filesystem::path(path).extension().string())];
  if (ending.count++ == 0) ending.first = path;
}

void PassedOver::Add(const PassedOver& other) {
  for (const auto& [name, more] : other.endings_) {
    Ending& ending = endings_[name];
    if (ending.count == 0) ending.first = more.first;
    ending.count += more.count;
  }
  hidden_ += other.hidden_;
}

int64_t PassedOver::files() const {
  int64_t files = 0;
  for (const auto& [name, ending] : endings_) files += ending.count;
  return files;
}

std::string PassedOver::Text() const {
  // Names such as "3.14159" have endings of their own: a summary shows those that occur most.
  constexpr size_t kShown = 8;
  std::vector<std::pair<std::string, Ending>> most(endings_.begin(), endings_.end());
  std::stable_sort(most.begin(), most.end(),
                   [](const auto& a, const auto& b) { return a.second.count > b.second.count; });
  std::vector<std::string> parts;
  for (size_t i = 0; i < std::min(kShown, most.size()); ++i) {
    const auto& [name, ending] = most[i];
    parts.push_back(absl::StrCat(ending.count, " ", name.empty() ? "without an ending" : name, " (",
                                 ending.count > 1 ? "first " : "", "'", ending.first, "')"));
  }
  if (most.size() > kShown) parts.push_back(absl::StrCat("others of ", most.size() - kShown, " endings"));
  if (hidden_ > 0) parts.push_back(absl::StrCat(hidden_, " hidden"));
  return absl::StrJoin(parts, ", ");
}

}  // namespace anybit::model
