#include "model/data/open_examples.h"

#include <algorithm>
#include <filesystem>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/random.h"
#include "model/data/cifar.h"
#include "model/data/folder_entries.h"
#include "model/data/folder_examples.h"
#include "model/data/idx.h"
#include "model/data/idx_files.h"
#include "model/data/image.h"
#include "model/data/moving_clips.h"
#include "model/data/split_folder.h"

namespace anybit::model {
namespace {

using Opened = absl::StatusOr<std::unique_ptr<ExampleSet>>;

bool Exists(const std::string& path) {
  std::error_code error;
  return std::filesystem::exists(path, error);
}

Opened InMemory(absl::StatusOr<MemoryExamples> examples, const ExampleShape& shape) {
  if (!examples.ok()) return examples.status();
  std::string origin = examples->origin();
  absl::StatusOr<MemoryExamples> centred = Centred(*std::move(examples), shape);
  if (!centred.ok()) return centred.status();
  centred->set_origin(std::move(origin));
  return std::make_unique<MemoryExamples>(*std::move(centred));
}

Opened OpenIdx(const std::string& folder, Split split, const ExampleShape& shape) {
  return InMemory(ReadIdxFolder(folder, split), shape);
}

Opened OpenCifar(const std::string& folder, Split split, const ExampleShape& shape, Cifar kind) {
  const std::string archive = absl::StrCat(folder, kind == Cifar::k10 ? "/cifar-10-batches-bin" : "/cifar-100-binary");
  return InMemory(ReadCifarFolder(Exists(archive) ? archive : folder, split, kind), shape);
}

Opened OpenMoving(const std::string& folder, Split split, const ExampleShape& shape) {
  constexpr uint64_t kSeed = 0x6d6f7665;  // part of the definition of the set, like the bytes of a file
  absl::StatusOr<MemoryExamples> objects = ReadIdxFolder(folder, split);
  if (!objects.ok()) return objects.status();
  std::string origin = absl::StrCat("clips drawn from ", objects->origin());
  absl::StatusOr<MovingClips> clips =
      MovingClips::Create(*std::move(objects), shape, MixSeed(kSeed, static_cast<uint64_t>(split)));
  if (!clips.ok()) return clips.status();
  clips->set_origin(std::move(origin));
  return std::make_unique<MovingClips>(*std::move(clips));
}

// The kind that the files of a folder suggest, or "".
std::string KindOf(const std::string& folder) {
  const auto has_one_of = [&](const std::vector<std::string>& names) {
    return std::any_of(names.begin(), names.end(), [&](const std::string& name) {
      const std::string path = absl::StrCat(folder, "/", name);
      return Exists(path) || Exists(path + ".gz");
    });
  };
  if (HasIdxFiles(folder)) return "idx";
  if (has_one_of({"data_batch_1.bin", "test_batch.bin", "cifar-10-batches-bin"})) return "cifar10";
  if (has_one_of({"train.bin", "test.bin", "cifar-100-binary"})) return "cifar100";
  return HasSplitFolders(folder) ? "images" : "";
}

// Names of a data set's entries, most similar to the expected ones first.
std::vector<std::string> NearestFirst(std::vector<std::string> names) {
  std::stable_partition(names.begin(), names.end(), [](const std::string& name) {
    const std::string lower = absl::AsciiStrToLower(name);
    for (const char* part : {"idx", "ubyte", "batch", "train", "test", "val", "cifar"}) {
      if (absl::StrContains(lower, part)) return true;
    }
    return false;
  });
  return names;
}

// The contents of a folder without examples and their probable kind, for a message.
std::string HoldsText(const std::string& folder) {
  const absl::StatusOr<FolderEntries> entries = ListFolder(folder);
  if (!entries.ok()) return std::string(entries.status().message());
  std::string text = absl::StrCat("It holds the folders ", NamesText(NearestFirst(entries->folders)), " and the files ",
                                  NamesText(NearestFirst(entries->files)));
  for (const char* python : {"cifar-10-batches-py", "cifar-100-python", "data_batch_1", "test_batch"}) {
    if (!Exists(absl::StrCat(folder, "/", python))) continue;
    absl::StrAppend(&text, ". '", python, "' is of CIFAR's Python version: unpack its binary version instead");
    return text;
  }
  for (const std::string& name : entries->folders) {
    const absl::StatusOr<FolderEntries> inside = ListFolder(absl::StrCat(folder, "/", name));
    if (!inside.ok() || !std::any_of(inside->files.begin(), inside->files.end(), IsImageName)) continue;
    absl::StrAppend(&text, ". '", name, "' holds images: folders of classes belong below train/ and test/");
    break;
  }
  return text;
}

}  // namespace

Opened OpenExamples(const std::string& data, Split split, const ExampleShape& shape) {
  if (absl::Status status = CheckShape(shape); !status.ok()) return status;
  std::string kind, folder = data;
  for (const char* known : {"idx", "cifar10", "cifar100", "cifar100-coarse", "images", "clips", "moving"}) {
    if (!absl::StartsWith(data, absl::StrCat(known, ":"))) continue;
    kind = known;
    folder = data.substr(kind.size() + 1);
  }
  if (!Exists(folder) && !HasIdxFiles(folder)) {
    return absl::NotFoundError(absl::StrCat("there is no folder '", folder, "'"));
  }
  if (kind.empty()) {
    kind = KindOf(folder);
    if (kind == "images" && shape.frames > 1) {
      return absl::InvalidArgumentError(
          absl::StrCat("still images for a network of ", shape.frames,
                       " frames; clips, folders of frames, are opened as clips:", folder));
    }
  }
  if (kind == "idx") return OpenIdx(folder, split, shape);
  if (kind == "cifar10") return OpenCifar(folder, split, shape, Cifar::k10);
  if (kind == "cifar100") return OpenCifar(folder, split, shape, Cifar::k100);
  if (kind == "cifar100-coarse") return OpenCifar(folder, split, shape, Cifar::k100Coarse);
  if (kind == "images") return FolderExamples::OfImages(folder, split, shape);
  if (kind == "clips") return FolderExamples::OfClips(folder, split, shape);
  if (kind == "moving") return OpenMoving(folder, split, shape);
  const char* const part = split == Split::kTrain ? "train" : "test";
  return absl::NotFoundError(absl::StrCat(
      "'", folder, "' has no examples. Looked for: train-images-idx3-ubyte[.gz] or t10k-images-idx3-ubyte[.gz] (IDX), ",
      "there, in raw/ or in NAME/raw/; data_batch_1.bin or test_batch.bin (CIFAR-10), train.bin or test.bin ",
      "(CIFAR-100), there or in cifar-10-batches-bin or cifar-100-binary; ", part, "/<class>/*.png, *.jpg (images). ",
      HoldsText(folder)));
}

}  // namespace anybit::model
