#include "model/data/open_examples.h"

#include <filesystem>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "model/data/cifar.h"
#include "model/data/folder_examples.h"
#include "model/data/idx.h"
#include "model/data/image.h"
#include "model/data/moving_clips.h"
#include "model/data/sampling.h"

namespace anybit {
namespace {

using Opened = absl::StatusOr<std::unique_ptr<ExampleSet>>;

bool Exists(const std::string& path) {
  std::error_code error;
  return std::filesystem::exists(path, error);
}

Opened InMemory(absl::StatusOr<MemoryExamples> examples, const ExampleShape& shape) {
  if (!examples.ok()) return examples.status();
  absl::StatusOr<MemoryExamples> centred = Centred(*std::move(examples), shape);
  if (!centred.ok()) return centred.status();
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
  constexpr uint64_t kSeed = 0x6d6f7665;  // part of what the set is, as a file's bytes are
  absl::StatusOr<MemoryExamples> objects = ReadIdxFolder(folder, split);
  if (!objects.ok()) return objects.status();
  absl::StatusOr<MovingClips> clips =
      MovingClips::Create(*std::move(objects), shape, MixSeed(kSeed, static_cast<uint64_t>(split)));
  if (!clips.ok()) return clips.status();
  return std::make_unique<MovingClips>(*std::move(clips));
}

// "images" or "clips" by what the first class that holds anything holds, else "".
absl::StatusOr<std::string> KindOfTree(const std::string& folder, Split split) {
  const std::string root = SplitFolder(folder, split);
  if (root.empty()) return "";
  const absl::StatusOr<std::vector<std::string>> classes = FolderNames(root);
  if (!classes.ok()) return classes.status();
  for (const std::string& name : *classes) {
    const std::string path = absl::StrCat(root, "/", name);
    const absl::StatusOr<std::vector<std::string>> images = ImageFileNames(path), clips = FolderNames(path);
    if (!images.ok()) return images.status();
    if (!images->empty()) return "images";
    if (clips.ok() && !clips->empty()) return "clips";
  }
  return "";
}

// The kind that the files of a folder tell, or "".
absl::StatusOr<std::string> KindOf(const std::string& folder, Split split) {
  const auto has_one_of = [&](const std::vector<std::string>& names) {
    for (const std::string& name : names) {
      if (Exists(absl::StrCat(folder, "/", name))) return true;
    }
    return false;
  };
  if (has_one_of({"train-images-idx3-ubyte", "train-images-idx3-ubyte.gz", "t10k-images-idx3-ubyte",
                  "t10k-images-idx3-ubyte.gz"})) {
    return "idx";
  }
  if (has_one_of({"data_batch_1.bin", "test_batch.bin", "cifar-10-batches-bin"})) return "cifar10";
  if (has_one_of({"train.bin", "test.bin", "cifar-100-binary"})) return "cifar100";
  return KindOfTree(folder, split);
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
  if (!Exists(folder)) return absl::NotFoundError(absl::StrCat("there is no folder '", folder, "'"));
  if (kind.empty()) {
    const absl::StatusOr<std::string> found = KindOf(folder, split);
    if (!found.ok()) return found.status();
    kind = *found;
  }
  if (kind == "idx") return OpenIdx(folder, split, shape);
  if (kind == "cifar10") return OpenCifar(folder, split, shape, Cifar::k10);
  if (kind == "cifar100") return OpenCifar(folder, split, shape, Cifar::k100);
  if (kind == "cifar100-coarse") return OpenCifar(folder, split, shape, Cifar::k100Coarse);
  if (kind == "images") return FolderExamples::OfImages(folder, split, shape);
  if (kind == "clips") return FolderExamples::OfClips(folder, split, shape);
  if (kind == "moving") return OpenMoving(folder, split, shape);
  const std::string part = split == Split::kTrain ? "train" : "test (or val)";
  return absl::NotFoundError(absl::StrCat(
      "'", folder, "' has no examples. Looked for: train-images-idx3-ubyte[.gz] or t10k-images-idx3-ubyte[.gz] (IDX); ",
      "data_batch_1.bin or test_batch.bin (CIFAR-10), train.bin or test.bin (CIFAR-100), there or in "
      "cifar-10-batches-bin or "
      "cifar-100-binary; ",
      part, "/<class>/*.png, *.jpg (images); ", part, "/<class>/<clip>/*.png, *.jpg (clips)"));
}

}  // namespace anybit
