// Stripes as image files, whole and damaged.
#ifndef ANYBIT_MODEL_TRAIN_TESTING_IMAGE_FOLDER_H_
#define ANYBIT_MODEL_TRAIN_TESTING_IMAGE_FOLDER_H_

#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/data/example_files.h"
#include "model/data/example_set.h"
#include "model/train/testing/stripes.h"

namespace anybit::model::train {

// Stripes as files in `splits`, 12 of each of the four classes.
inline std::string ImageFolder(const std::string& name, const std::vector<std::string>& splits) {
  const std::string folder = FreshFolder("anybit_train_test_" + name);
  for (const std::string& split : splits) {
    const MemoryExamples set = Stripes(200, split.size(), 32);
    std::vector<int> counts(4);
    for (int64_t i = 0; i < set.count(); ++i) {
      const int label = set.label(i);
      if (++counts[label] > 12) continue;
      const auto row = set.rows(i, 1);
      WriteFile(absl::StrCat(folder, "/", split, "/class", label, "/", counts[label], ".png"),
                PngBytes({32, 32, 1, {row.begin(), row.end()}}));
    }
  }
  return folder;
}

inline void CutInTheMiddle(const std::string& path) {
  std::filesystem::resize_file(path, std::filesystem::file_size(path) / 2);
}

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_TESTING_IMAGE_FOLDER_H_
