// Folders of image files: still images in <split>/<class>/, or clips as folders of frames in <split>/<class>/<clip>/.
//
// split_folder.h says which folder holds a split. Classes are the folders of the training split sorted by name
// (bytewise); rows are sorted by class and path. Still images are all image files below a class's folder, at any depth.
// Image files end in .png, .jpg, .jpeg or .pgm in any case. Other files, and names that begin with a dot, are skipped;
// origin() counts and names them. Only names are kept in memory: a row is decoded when it is read.
#ifndef ANYBIT_MODEL_DATA_FOLDER_EXAMPLES_H_
#define ANYBIT_MODEL_DATA_FOLDER_EXAMPLES_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/data/example_set.h"

namespace anybit::model {

// Each image becomes one frame by ScaleToCover of image.h. Frame f of F of a clip of n files is the middle of the f-th
// of F equal parts: file floor((f + 1/2) n / F). Short clips therefore repeat files.
class FolderExamples final : public ExampleSet {
 public:
  // Lists <folder>/train/<class>/ and below. NotFound, naming the expected and the present folders. InvalidArgument for
  // a class without an example, naming it and the contents of its folder; a class that training does not have; a link
  // to a folder above it; more than kMaxClasses; or a shape of several frames. A class may lack test rows if its test
  // folder is absent or empty; origin() then names it.
  static absl::StatusOr<std::unique_ptr<FolderExamples>> OfImages(const std::string& folder, Split split,
                                                                  const ExampleShape& shape);
  // Lists <folder>/train/<class>/<clip>/*; a clip without an image file is InvalidArgument.
  static absl::StatusOr<std::unique_ptr<FolderExamples>> OfClips(const std::string& folder, Split split,
                                                                 const ExampleShape& shape);

  // Lists the images in or below `folder`, sorted by path: rows of one class without a name. NotFound where there are
  // none.
  static absl::StatusOr<std::unique_ptr<FolderExamples>> OfLooseImages(const std::string& folder,
                                                                       const ExampleShape& shape);

  absl::Status Read(int64_t i, std::span<uint8_t> row) const override;
  absl::Status Check(int64_t i) const override;

 private:
  FolderExamples(const ExampleShape& shape, std::string root, std::vector<std::string> files,
                 std::vector<uint16_t> labels, std::vector<std::string> class_names);

  enum class Rows : uint8_t { kImages, kClips };
  static absl::StatusOr<std::unique_ptr<FolderExamples>> Open(const std::string& folder, Split split,
                                                              const ExampleShape& shape, Rows rows);

  // The file of frame `f` of row `i`.
  std::string PathOf(int64_t i, int64_t f) const;

  const std::string root_;
  const std::vector<std::string> files_;  // [count][frames], below root_
};

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_DATA_FOLDER_EXAMPLES_H_
