#include "model/train/checkpoint_files.h"

#include <system_error>

#include "absl/strings/str_cat.h"
#include "model/train/trainer/start.h"

namespace anybit::model::train {

std::map<std::string, std::filesystem::file_time_type> CheckpointFiles(const TrainerOptions& options,
                                                                       const std::vector<PointRecipe>& points) {
  std::map<std::string, std::filesystem::file_time_type> found;
  if (options.checkpoint.empty()) return found;
  std::vector<std::string> paths = {options.checkpoint};
  if (!options.recipe.joint) {
    paths = {absl::StrCat(options.checkpoint, ".", kStartName)};
    for (const PointRecipe& point : points) paths.push_back(absl::StrCat(options.checkpoint, ".", point.name));
  }
  for (const std::string& path : paths) {
    std::error_code none;
    const auto time = std::filesystem::last_write_time(path, none);
    if (!none) found.emplace(path, time);
  }
  return found;
}

}  // namespace anybit::model::train
