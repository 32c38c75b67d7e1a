#include "model/data/folder_examples.h"

#include <algorithm>
#include <filesystem>
#include <functional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/image_file.h"
#include "base/utf8.h"
#include "model/data/image.h"

namespace anybit {
namespace {

namespace fs = std::filesystem;

using NamesOr = absl::StatusOr<std::vector<std::string>>;

NamesOr Names(const std::string& folder, const std::function<bool(const fs::directory_entry&)>& wanted) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (!absl::StartsWith(name, ".") && wanted(*it)) names.push_back(name);
  }
  // A part that is missing without a word would change what is learned.
  if (error) return absl::UnavailableError(absl::StrCat("cannot list '", folder, "': ", error.message()));
  std::sort(names.begin(), names.end());
  return names;
}

bool IsImageName(const std::string& path) {
  const std::string name = absl::AsciiStrToLower(path);
  return absl::EndsWith(name, ".png") || absl::EndsWith(name, ".jpg") || absl::EndsWith(name, ".jpeg");
}

// The rows of one split: for each its label and its `frames` files.
struct Listing {
  std::string root;
  std::vector<std::string> class_names;
  std::vector<uint16_t> labels;
  std::vector<std::string> files;
};

// `append` adds the files of all rows of one class, "<class>" below the root, to the listing.
absl::StatusOr<Listing> List(const std::string& folder, Split split, int64_t frames,
                             const std::function<absl::Status(const std::string&, Listing&)>& append) {
  Listing listing{.root = SplitFolder(folder, split)};
  if (listing.root.empty()) {
    return absl::NotFoundError(
        absl::StrCat("'", folder, "' has no folder ", split == Split::kTrain ? "train" : "test or val"));
  }
  // Labels must be training's, also where the other part lacks a class.
  const std::string train = SplitFolder(folder, Split::kTrain);
  NamesOr classes = FolderNames(train.empty() ? listing.root : train);
  if (!classes.ok()) return classes.status();
  listing.class_names = *std::move(classes);
  if (listing.class_names.size() > ExampleSet::kMaxClasses) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", folder, "' has ", listing.class_names.size(), " classes, limit ", ExampleSet::kMaxClasses));
  }
  for (const std::string& name : listing.class_names) {
    if (!IsValidUtf8(name)) {
      return absl::InvalidArgumentError(absl::StrCat("class folder '", train.empty() ? listing.root : train, "/",
                                                     absl::CHexEscape(name), "' is not named in valid UTF-8"));
    }
  }
  const NamesOr present = FolderNames(listing.root);
  if (!present.ok()) return present.status();
  for (const std::string& name : *present) {
    const auto found = std::lower_bound(listing.class_names.begin(), listing.class_names.end(), name);
    if (found == listing.class_names.end() || *found != name) {
      return absl::InvalidArgumentError(
          absl::StrCat("'", listing.root, "/", name, "' is of no class in '", train, "'"));
    }
    if (absl::Status status = append(name, listing); !status.ok()) return status;
    listing.labels.resize(listing.files.size() / frames, static_cast<uint16_t>(found - listing.class_names.begin()));
  }
  if (listing.labels.empty()) {
    return absl::NotFoundError(absl::StrCat("'", listing.root, "' has no .png, .jpg or .jpeg file in its classes"));
  }
  return listing;
}

}  // namespace

std::string SplitFolder(const std::string& folder, Split split) {
  const auto names =
      split == Split::kTrain ? std::vector<std::string>{"train"} : std::vector<std::string>{"test", "val"};
  for (const std::string& name : names) {
    std::error_code error;
    if (const std::string path = absl::StrCat(folder, "/", name); fs::is_directory(path, error)) return path;
  }
  return "";
}

NamesOr FolderNames(const std::string& folder) {
  return Names(folder, [](const fs::directory_entry& entry) {
    std::error_code error;
    return entry.is_directory(error);
  });
}

NamesOr ImageFileNames(const std::string& folder) {
  return Names(folder, [](const fs::directory_entry& entry) {
    std::error_code error;
    return IsImageName(entry.path().filename().string()) && !entry.is_directory(error);
  });
}

FolderExamples::FolderExamples(const ExampleShape& shape, std::string root, std::vector<std::string> files,
                               std::vector<uint16_t> labels, std::vector<std::string> class_names)
    : ExampleSet(shape, RowCost::kDecode, static_cast<int>(class_names.size()), std::move(labels), class_names),
      root_(std::move(root)),
      files_(std::move(files)) {}

absl::StatusOr<std::unique_ptr<FolderExamples>> FolderExamples::OfImages(const std::string& folder, Split split,
                                                                         const ExampleShape& shape) {
  if (absl::Status status = CheckShape(shape); !status.ok()) return status;
  if (shape.frames != 1) {
    return absl::InvalidArgumentError(absl::StrCat("still images for a network of ", shape.frames, " frames"));
  }
  absl::StatusOr<Listing> listing = List(folder, split, 1, [](const std::string& name, Listing& listing) {
    const NamesOr files = ImageFileNames(absl::StrCat(listing.root, "/", name));
    if (!files.ok()) return files.status();
    for (const std::string& file : *files) {
      listing.files.push_back(absl::StrCat(name, "/", file));
    }
    return absl::OkStatus();
  });
  if (!listing.ok()) return listing.status();
  return std::unique_ptr<FolderExamples>(new FolderExamples(shape, std::move(listing->root), std::move(listing->files),
                                                            std::move(listing->labels),
                                                            std::move(listing->class_names)));
}

absl::StatusOr<std::unique_ptr<FolderExamples>> FolderExamples::OfClips(const std::string& folder, Split split,
                                                                        const ExampleShape& shape) {
  if (absl::Status status = CheckShape(shape); !status.ok()) return status;
  absl::StatusOr<Listing> listing = List(folder, split, shape.frames, [&](const std::string& name, Listing& listing) {
    const NamesOr clips = FolderNames(absl::StrCat(listing.root, "/", name));
    if (!clips.ok()) return clips.status();
    for (const std::string& clip : *clips) {
      const std::string path = absl::StrCat(name, "/", clip);
      const NamesOr files = ImageFileNames(absl::StrCat(listing.root, "/", path));
      if (!files.ok()) return files.status();
      if (files->empty()) {
        return absl::InvalidArgumentError(
            absl::StrCat("clip '", listing.root, "/", path, "' has no .png, .jpg or .jpeg file"));
      }
      const int64_t n = static_cast<int64_t>(files->size());
      for (int64_t f = 0; f < shape.frames; ++f) {
        listing.files.push_back(absl::StrCat(path, "/", (*files)[(2 * f + 1) * n / (2 * shape.frames)]));
      }
    }
    return absl::OkStatus();
  });
  if (!listing.ok()) return listing.status();
  return std::unique_ptr<FolderExamples>(new FolderExamples(shape, std::move(listing->root), std::move(listing->files),
                                                            std::move(listing->labels),
                                                            std::move(listing->class_names)));
}

absl::Status FolderExamples::Read(int64_t i, std::span<uint8_t> row) const {
  const int64_t frame = shape().elements() / shape().frames;
  for (int64_t f = 0; f < shape().frames; ++f) {
    absl::StatusOr<Image> image = ReadImageFile(absl::StrCat(root_, "/", files_[i * shape().frames + f]));
    if (!image.ok()) return image.status();
    ScaleToCover(WithChannels(*std::move(image), shape().channels), shape().height, shape().width,
                 row.subspan(f * frame, frame));
  }
  return absl::OkStatus();
}

}  // namespace anybit
