#include "model/data/split_folder.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/utf8.h"

namespace anybit::model {
namespace {

// In the order of preference.
const std::vector<std::string>& NamesOf(Split split) {
  static const auto* const training = new std::vector<std::string>{"train", "training"};
  static const auto* const test = new std::vector<std::string>{"test", "testing", "val", "validation", "valid"};
  return split == Split::kTrain ? *training : *test;
}

// The folders of `entries` with a name of the split.
absl::StatusOr<std::vector<std::string>> Candidates(const std::string& folder, const FolderEntries& entries,
                                                    Split split) {
  std::vector<std::string> candidates;
  for (const std::string& known : NamesOf(split)) {
    std::vector<std::string> same;
    for (const std::string& name : entries.folders) {
      if (absl::EqualsIgnoreCase(name, known)) same.push_back(name);
    }
    if (same.size() > 1) {
      return absl::InvalidArgumentError(
          absl::StrCat("'", folder, "' has ", NamesText(same), ": which one is meant cannot be told"));
    }
    candidates.insert(candidates.end(), same.begin(), same.end());
  }
  return candidates;
}

// The first candidate whose folders include a class of `class_names`, or any folder where these are empty.
absl::StatusOr<SplitFolder> FirstWithClasses(const std::string& folder, const FolderEntries& entries, Split split,
                                             const std::vector<std::string>& class_names) {
  const absl::StatusOr<std::vector<std::string>> candidates = Candidates(folder, entries, split);
  if (!candidates.ok()) return candidates.status();
  SplitFolder found;
  std::vector<std::string> reasons;
  for (const std::string& name : *candidates) {
    found.path = absl::StrCat(folder, "/", name);
    absl::StatusOr<FolderEntries> inside = ListFolder(found.path);
    if (!inside.ok()) return inside.status();
    const auto is_class = [&](const std::string& entry) {
      return class_names.empty() || std::binary_search(class_names.begin(), class_names.end(), entry);
    };
    if (std::any_of(inside->folders.begin(), inside->folders.end(), is_class)) {
      found.entries = *std::move(inside);
      found.passed_over = absl::StrJoin(reasons, "; ");
      return found;
    }
    reasons.push_back(absl::StrCat("'", name, "' has no folder of a class",
                                   class_names.empty() ? "" : " of the training rows", ", it holds ",
                                   NamesText(inside->folders.empty() ? inside->files : inside->folders, 3)));
  }
  if (candidates->empty()) {
    return absl::NotFoundError(absl::StrCat("'", folder, "' has no folder ", absl::StrJoin(NamesOf(split), ", "),
                                            "; it holds ",
                                            NamesText(entries.folders.empty() ? entries.files : entries.folders)));
  }
  return absl::NotFoundError(absl::StrCat("'", folder, "' has no ", split == Split::kTrain ? "training" : "test",
                                          " rows in folders of classes: ", absl::StrJoin(reasons, "; ")));
}

}  // namespace

absl::StatusOr<SplitFolder> FindSplit(const std::string& folder, Split split) {
  const absl::StatusOr<FolderEntries> entries = ListFolder(folder);
  if (!entries.ok()) return entries.status();
  // Labels must be those of training, even where the test part lacks a class.
  absl::StatusOr<SplitFolder> training = FirstWithClasses(folder, *entries, Split::kTrain, {});
  if (!training.ok() && (split == Split::kTrain || !absl::IsNotFound(training.status()))) return training;
  const std::vector<std::string> classes = training.ok() ? training->entries.folders : std::vector<std::string>();
  const std::string classes_path = training.ok() ? training->path : "";
  absl::StatusOr<SplitFolder> found =
      split == Split::kTrain ? std::move(training) : FirstWithClasses(folder, *entries, split, classes);
  if (!found.ok()) return found.status();
  found->class_names = classes.empty() ? found->entries.folders : classes;
  if (found->class_names.size() > ExampleSet::kMaxClasses) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", folder, "' has ", found->class_names.size(), " classes, limit ", ExampleSet::kMaxClasses));
  }
  for (const std::string& name : found->class_names) {
    if (!IsValidUtf8(name)) {
      return absl::InvalidArgumentError(absl::StrCat("class folder '", classes.empty() ? found->path : classes_path,
                                                     "/", absl::CHexEscape(name), "' is not named in valid UTF-8"));
    }
  }
  return found;
}

bool HasSplitFolders(const std::string& folder) {
  const absl::StatusOr<FolderEntries> entries = ListFolder(folder);
  if (!entries.ok()) return false;
  for (const Split split : {Split::kTrain, Split::kTest}) {
    const auto candidates = Candidates(folder, *entries, split);
    if (!candidates.ok() || !candidates->empty()) return true;
  }
  return false;
}

}  // namespace anybit::model
