#include "model/data/idx_files.h"

#include <filesystem>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "model/data/folder_entries.h"

namespace anybit::model {
namespace {

struct IdxName {
  std::string set;  // in lower case; empty for most data sets
  Split split{};
  bool images = false;
  bool gzipped = false;
};

std::optional<IdxName> ParseName(const std::string& file) {
  const std::string lower = absl::AsciiStrToLower(file);
  absl::string_view name = lower;
  IdxName parsed;
  parsed.gzipped = absl::ConsumeSuffix(&name, ".gz");
  if (absl::ConsumeSuffix(&name, "idx3-ubyte")) {
    parsed.images = true;
  } else if (!absl::ConsumeSuffix(&name, "idx1-ubyte")) {
    return std::nullopt;
  }
  if (!absl::ConsumeSuffix(&name, "-") && !absl::ConsumeSuffix(&name, ".")) return std::nullopt;
  if (!absl::ConsumeSuffix(&name, parsed.images ? "-images" : "-labels")) return std::nullopt;
  if (absl::ConsumeSuffix(&name, "train")) {
    parsed.split = Split::kTrain;
  } else if (absl::ConsumeSuffix(&name, "t10k") || absl::ConsumeSuffix(&name, "test")) {
    parsed.split = Split::kTest;
  } else {
    return std::nullopt;
  }
  if (!name.empty() && !absl::ConsumeSuffix(&name, "-")) return std::nullopt;
  parsed.set = std::string(name);
  return parsed;
}

struct Found {
  std::string path;
  bool gzipped = false;
};

// The files of one set: by split and kind.
using Parts = std::map<std::pair<Split, bool>, Found>;

struct Place {
  std::string folder;
  std::string set;
  Parts parts;

  std::string Text() const { return set.empty() ? folder : absl::StrCat(folder, "/", set); }
};

// The sets with files in `folder`; none where it cannot be listed.
std::vector<Place> SetsIn(const std::string& folder) {
  const absl::StatusOr<FolderEntries> entries = ListFolder(folder);
  if (!entries.ok()) return {};
  std::map<std::string, Parts> sets;
  for (const std::string& file : entries->files) {
    const std::optional<IdxName> name = ParseName(file);
    if (!name.has_value()) continue;
    const Found found{absl::StrCat(folder, "/", file), name->gzipped};
    auto [at, fresh] = sets[name->set].emplace(std::pair(name->split, name->images), found);
    if (!fresh && at->second.gzipped && !found.gzipped) at->second = found;
  }
  std::vector<Place> places;
  for (auto& [set, parts] : sets) places.push_back({folder, set, std::move(parts)});
  return places;
}

bool IsFolder(const std::string& path) {
  std::error_code error;
  return std::filesystem::is_directory(path, error);
}

// The sets that `data` can refer to: those of the nearest folder that has any.
std::vector<Place> SetsOf(const std::string& data) {
  if (!IsFolder(data)) {
    const std::filesystem::path path(data);
    const std::string set = absl::AsciiStrToLower(path.filename().string());
    for (Place& place : SetsIn(path.has_parent_path() ? path.parent_path().string() : ".")) {
      if (place.set == set) return {std::move(place)};
    }
    return {};
  }
  std::vector<Place> here = SetsIn(data);
  for (Place& place : here) {
    if (place.set.empty()) return {std::move(place)};
  }
  if (!here.empty()) return here;
  const absl::StatusOr<FolderEntries> entries = ListFolder(data);
  if (!entries.ok()) return {};
  std::vector<std::string> above = {data};
  for (const std::string& folder : entries->folders) above.push_back(absl::StrCat(data, "/", folder));
  for (size_t i = 0; i < above.size(); ++i) {
    for (const char* below : {"raw", "gzip"}) {
      for (Place& place : SetsIn(absl::StrCat(above[i], "/", below))) here.push_back(std::move(place));
    }
    if (i == 0 && !here.empty()) break;
  }
  return here;
}

}  // namespace

bool HasIdxFiles(const std::string& data) { return !SetsOf(data).empty(); }

absl::StatusOr<IdxFiles> FindIdxFiles(const std::string& data, Split split) {
  const std::string part = split == Split::kTrain ? "train" : "t10k";
  const std::vector<Place> places = SetsOf(data);
  if (places.empty()) {
    return absl::NotFoundError(absl::StrCat("'", data, "' has no IDX files such as ", part, "-images-idx3-ubyte[.gz]"));
  }
  if (places.size() > 1) {
    std::vector<std::string> names;
    for (const Place& place : places) names.push_back(place.Text());
    return absl::InvalidArgumentError(
        absl::StrCat("'", data, "' holds IDX files of ", places.size(), " sets; name one of ", NamesText(names)));
  }
  const Parts& parts = places[0].parts;
  const auto images = parts.find({split, true}), labels = parts.find({split, false});
  if (images != parts.end() && labels != parts.end()) return IdxFiles{images->second.path, labels->second.path};
  const std::string set = places[0].set.empty() ? "" : absl::StrCat(places[0].set, "-");
  const char* const lacking = images == parts.end() ? "images-idx3" : "labels-idx1";
  std::vector<std::string> others;
  for (const auto& [key, found] : parts) others.push_back(std::filesystem::path(found.path).filename().string());
  return absl::NotFoundError(absl::StrCat("'", places[0].folder, "' has ", NamesText(others), " and no ", set, part,
                                          "-", lacking, "-ubyte[.gz]"));
}

}  // namespace anybit::model
