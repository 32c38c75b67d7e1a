#include "model/data/folder_examples.h"

#include <algorithm>
#include <filesystem>
#include <functional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/image_file.h"
#include "model/data/folder_entries.h"
#include "model/data/image.h"
#include "model/data/passed_over.h"
#include "model/data/split_folder.h"

namespace anybit::model {
namespace {

namespace fs = std::filesystem;

constexpr char kEndings[] = ".png, .jpg, .jpeg or .pgm";

// The rows of one class: the `frames` files of each, relative to the split's folder.
struct ClassListing {
  std::vector<std::string> files;
  PassedOver passed_over;
  int64_t nested = 0;  // files of still images in folders below the class's own
};

// The rows of one split: the label and the `frames` files of each.
struct Listing {
  SplitFolder split;
  std::vector<uint16_t> labels;
  std::vector<std::string> files;
  std::string origin;
};

// Appends the image files in `relative`, below `root`, at any depth. `above` has the real paths of the folders above: a
// link to one of them would be an endless loop.
absl::Status AppendImages(const std::string& root, const std::string& relative, std::vector<fs::path>& above,
                          ClassListing& listing) {
  const std::string path = absl::StrCat(root, "/", relative);
  std::error_code error;
  above.push_back(fs::canonical(path, error));
  if (error) return absl::UnavailableError(absl::StrCat("cannot list '", path, "': ", error.message()));
  if (std::find(above.begin(), above.end() - 1, above.back()) != above.end() - 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", path, "' leads back to '", above.back().string(), "' above it"));
  }
  const absl::StatusOr<FolderEntries> entries = ListFolder(path);
  if (!entries.ok()) return entries.status();
  listing.passed_over.AddHidden(static_cast<int64_t>(entries->hidden.size()));
  for (const std::string& file : entries->files) {
    const std::string name = absl::StrCat(relative, "/", file);
    if (!IsImageName(file)) {
      listing.passed_over.Add(name);
      continue;
    }
    listing.files.push_back(name);
    if (above.size() > 1) ++listing.nested;
  }
  for (const std::string& name : entries->folders) {
    if (absl::Status status = AppendImages(root, absl::StrCat(relative, "/", name), above, listing); !status.ok()) {
      return status;
    }
  }
  above.pop_back();
  return absl::OkStatus();
}

absl::StatusOr<ClassListing> ListImages(const std::string& root, const std::string& name) {
  ClassListing listing;
  std::vector<fs::path> above;
  if (absl::Status status = AppendImages(root, name, above, listing); !status.ok()) return status;
  std::sort(listing.files.begin(), listing.files.end());
  return listing;
}

absl::StatusOr<ClassListing> ListClips(const std::string& root, const std::string& name, int64_t frames) {
  ClassListing listing;
  const absl::StatusOr<FolderEntries> clips = ListFolder(absl::StrCat(root, "/", name));
  if (!clips.ok()) return clips.status();
  listing.passed_over.AddHidden(static_cast<int64_t>(clips->hidden.size()));
  for (const std::string& file : clips->files) listing.passed_over.Add(absl::StrCat(name, "/", file));
  for (const std::string& clip : clips->folders) {
    const std::string path = absl::StrCat(name, "/", clip);
    const absl::StatusOr<FolderEntries> entries = ListFolder(absl::StrCat(root, "/", path));
    if (!entries.ok()) return entries.status();
    listing.passed_over.AddHidden(static_cast<int64_t>(entries->hidden.size()));
    std::vector<std::string> images;
    for (const std::string& file : entries->files) {
      if (IsImageName(file)) {
        images.push_back(file);
      } else {
        listing.passed_over.Add(absl::StrCat(path, "/", file));
      }
    }
    for (const std::string& folder : entries->folders) listing.passed_over.Add(absl::StrCat(path, "/", folder, "/"));
    if (images.empty()) {
      return absl::InvalidArgumentError(absl::StrCat("clip '", root, "/", path, "' has no ", kEndings, " file"));
    }
    const int64_t n = static_cast<int64_t>(images.size());
    for (int64_t f = 0; f < frames; ++f) {
      listing.files.push_back(absl::StrCat(path, "/", images[(2 * f + 1) * n / (2 * frames)]));
    }
  }
  return listing;
}

// The contents of a class's folder without examples, for a message.
std::string HoldsText(const ClassListing& listing, const std::string& wanted) {
  const std::string text = listing.passed_over.Text();
  if (text.empty()) return absl::StrCat("holds nothing; ", wanted, " are read");
  return absl::StrCat("holds ", text, "; ", wanted, " are read");
}

std::string OriginOf(const Listing& listing, const std::string& rows, const PassedOver& passed_over, int64_t nested,
                     const std::vector<std::string>& absent) {
  std::string text =
      absl::StrCat(listing.labels.size(), " ", rows, " of ", listing.split.class_names.size() - absent.size(),
                   " classes in '", listing.split.path, "'");
  if (nested > 0) absl::StrAppend(&text, ", ", nested, " of them in folders below their class's");
  if (!absent.empty()) absl::StrAppend(&text, "; none of class ", NamesText(absent));
  if (const std::string others = passed_over.Text(); !others.empty()) {
    absl::StrAppend(&text, "; passed over: ", others);
  }
  if (!listing.split.passed_over.empty()) absl::StrAppend(&text, "; ", listing.split.passed_over);
  return text;
}

// `list` gives the rows of one class. `rows` and `wanted` name their kind and expected place in messages.
absl::StatusOr<Listing> List(
    const std::string& folder, Split split, int64_t frames, const std::string& rows, const std::string& wanted,
    const std::function<absl::StatusOr<ClassListing>(const std::string& root, const std::string& name)>& list) {
  absl::StatusOr<SplitFolder> found = FindSplit(folder, split);
  if (!found.ok()) return found.status();
  Listing listing{.split = *std::move(found)};
  const std::string& root = listing.split.path;
  const std::vector<std::string>& classes = listing.split.class_names;
  PassedOver passed_over;
  passed_over.AddHidden(static_cast<int64_t>(listing.split.entries.hidden.size()));
  for (const std::string& file : listing.split.entries.files) passed_over.Add(file);
  std::vector<std::string> unseen, absent;
  std::string unseen_holds;
  int64_t nested = 0;
  for (const std::string& name : listing.split.entries.folders) {
    const auto label = std::lower_bound(classes.begin(), classes.end(), name);
    if (label == classes.end() || *label != name) {
      return absl::InvalidArgumentError(
          absl::StrCat("'", root, "/", name, "' is of no class of the training rows: ", NamesText(classes)));
    }
    const absl::StatusOr<ClassListing> own = list(root, name);
    if (!own.ok()) return own.status();
    if (own->files.empty()) {
      const bool allowed = split == Split::kTest && own->passed_over.files() == 0;
      if (!allowed && unseen.empty()) unseen_holds = HoldsText(*own, wanted);
      (allowed ? absent : unseen).push_back(name);
      continue;
    }
    passed_over.Add(own->passed_over);
    nested += own->nested;
    listing.files.insert(listing.files.end(), own->files.begin(), own->files.end());
    listing.labels.resize(listing.files.size() / frames, static_cast<uint16_t>(label - classes.begin()));
  }
  if (!unseen.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("class '", unseen[0], "' has no example: '", root, "/", unseen[0], "' ", unseen_holds,
                     unseen.size() == 1 ? "" : absl::StrCat("; without example are ", NamesText(unseen))));
  }
  if (listing.labels.empty()) {
    return absl::NotFoundError(absl::StrCat("'", root, "' has no ", kEndings, " file in its classes"));
  }
  for (const std::string& name : classes) {
    const auto& present = listing.split.entries.folders;
    if (!std::binary_search(present.begin(), present.end(), name)) absent.push_back(name);
  }
  std::sort(absent.begin(), absent.end());
  listing.origin = OriginOf(listing, rows, passed_over, nested, absent);
  return listing;
}

}  // namespace

FolderExamples::FolderExamples(const ExampleShape& shape, std::string root, std::vector<std::string> files,
                               std::vector<uint16_t> labels, std::vector<std::string> class_names)
    : ExampleSet(shape, RowCost::kDecode, std::max(1, static_cast<int>(class_names.size())), std::move(labels),
                 class_names),
      root_(std::move(root)),
      files_(std::move(files)) {}

absl::StatusOr<std::unique_ptr<FolderExamples>> FolderExamples::OfImages(const std::string& folder, Split split,
                                                                         const ExampleShape& shape) {
  if (shape.frames != 1) {
    return absl::InvalidArgumentError(absl::StrCat("still images for a network of ", shape.frames, " frames"));
  }
  return Open(folder, split, shape, Rows::kImages);
}

absl::StatusOr<std::unique_ptr<FolderExamples>> FolderExamples::OfClips(const std::string& folder, Split split,
                                                                        const ExampleShape& shape) {
  return Open(folder, split, shape, Rows::kClips);
}

absl::StatusOr<std::unique_ptr<FolderExamples>> FolderExamples::OfLooseImages(const std::string& folder,
                                                                              const ExampleShape& shape) {
  if (absl::Status status = CheckShape(shape); !status.ok()) return status;
  absl::StatusOr<ClassListing> listing = ListImages(folder, ".");
  if (!listing.ok()) return listing.status();
  if (listing->files.empty()) {
    return absl::NotFoundError(absl::StrCat("'", folder, "' ", HoldsText(*listing, kEndings)));
  }
  const size_t count = listing->files.size();
  std::string origin = absl::StrCat(count, " images in '", folder, "'");
  if (const std::string others = listing->passed_over.Text(); !others.empty()) {
    absl::StrAppend(&origin, "; passed over: ", others);
  }
  auto examples = std::unique_ptr<FolderExamples>(
      new FolderExamples(shape, folder, std::move(listing->files), std::vector<uint16_t>(count, 0), {}));
  examples->set_origin(std::move(origin));
  return examples;
}

absl::StatusOr<std::unique_ptr<FolderExamples>> FolderExamples::Open(const std::string& folder, Split split,
                                                                     const ExampleShape& shape, Rows rows) {
  if (absl::Status status = CheckShape(shape); !status.ok()) return status;
  absl::StatusOr<Listing> listing =
      rows == Rows::kImages
          ? List(folder, split, 1, "images", absl::StrCat("files that end in ", kEndings), &ListImages)
          : List(folder, split, shape.frames, "clips",
                 absl::StrCat("clips, which are folders of ", kEndings, " files,"),
                 [&](const std::string& root, const std::string& name) { return ListClips(root, name, shape.frames); });
  if (!listing.ok()) return listing.status();
  auto examples = std::unique_ptr<FolderExamples>(
      new FolderExamples(shape, std::move(listing->split.path), std::move(listing->files), std::move(listing->labels),
                         std::move(listing->split.class_names)));
  examples->set_origin(std::move(listing->origin));
  return examples;
}

std::string FolderExamples::PathOf(int64_t i, int64_t f) const {
  return absl::StrCat(root_, "/", files_[i * shape().frames + f]);
}

absl::Status FolderExamples::Read(int64_t i, std::span<uint8_t> row) const {
  const int64_t frame = shape().elements() / shape().frames;
  for (int64_t f = 0; f < shape().frames; ++f) {
    absl::StatusOr<Image> image = ReadImageFile(PathOf(i, f));
    if (!image.ok()) return image.status();
    ScaleToCover(WithChannels(*std::move(image), shape().channels), shape().height, shape().width,
                 row.subspan(f * frame, frame));
  }
  return absl::OkStatus();
}

absl::Status FolderExamples::Check(int64_t i) const {
  for (int64_t f = 0; f < shape().frames; ++f) {
    if (absl::Status status = ReadImageFile(PathOf(i, f)).status(); !status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace anybit::model
