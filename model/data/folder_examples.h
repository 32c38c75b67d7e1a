// Folders of image files: still images in <split>/<class>/, or clips as folders of frames in <split>/<class>/<clip>/.
//
// Training rows lie under train/, test rows under test/ or, where there is none, val/. Classes are the folders of
// train/ sorted by name (bytewise), rows follow sorted by class and name. Image files end in .png, .jpg or .jpeg in any
// case; other files and names that begin with a dot are passed over. Only names are kept in memory: a row is decoded
// when it is read.
#ifndef ANYBIT_MODEL_DATA_FOLDER_EXAMPLES_H_
#define ANYBIT_MODEL_DATA_FOLDER_EXAMPLES_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/data/example_set.h"

namespace anybit {

// Each image becomes one frame by ScaleToCover of image.h. Of a clip of n files, frame f of F is the one in the middle
// of the f-th of F equal parts: file floor((f + 1/2) n / F), so short clips repeat files and one frame is the middle
// one.
class FolderExamples final : public ExampleSet {
 public:
  // Lists <folder>/train/<class>/*. NotFound, naming what was looked for; InvalidArgument for a class that training
  // does not know, more than kMaxClasses, or a shape of several frames.
  static absl::StatusOr<std::unique_ptr<FolderExamples>> OfImages(const std::string& folder, Split split,
                                                                  const ExampleShape& shape);
  // Lists <folder>/train/<class>/<clip>/*; a clip without an image file is InvalidArgument.
  static absl::StatusOr<std::unique_ptr<FolderExamples>> OfClips(const std::string& folder, Split split,
                                                                 const ExampleShape& shape);

  absl::Status Read(int64_t i, std::span<uint8_t> row) const override;

 private:
  FolderExamples(const ExampleShape& shape, std::string root, std::vector<std::string> files,
                 std::vector<uint16_t> labels, std::vector<std::string> class_names);

  const std::string root_;
  const std::vector<std::string> files_;  // [count][frames], below root_
};

// Where the rows of `split` lie: the folder of it that exists, or "".
std::string SplitFolder(const std::string& folder, Split split);

// The names of the folders or of the image files in `folder`, sorted. Unavailable where it cannot be listed.
absl::StatusOr<std::vector<std::string>> FolderNames(const std::string& folder);
absl::StatusOr<std::vector<std::string>> ImageFileNames(const std::string& folder);

}  // namespace anybit

#endif  // ANYBIT_MODEL_DATA_FOLDER_EXAMPLES_H_
