// Opens the examples that a command line names, in any known format.
#ifndef ANYBIT_MODEL_DATA_OPEN_EXAMPLES_H_
#define ANYBIT_MODEL_DATA_OPEN_EXAMPLES_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "model/data/example_set.h"

namespace anybit::model {

// Opens FOLDER, whose files determine its kind, or KIND:FOLDER:
//   idx:      the MNIST family's IDX files (idx_files.h has their names and places), centred in zeros
//   cifar10:  binary CIFAR-10 (cifar.h), centred in zeros; also in the folder that its archive holds
//   cifar100: cifar100-coarse:  the same of CIFAR-100
//   images:   image files in or below train/<class>/ and test/<class>/ (folder_examples.h; split_folder.h has the other
//             names of the two), scaled and cut
//   clips:    train/<class>/<clip>/*.png, *.jpg and test/ likewise (folder_examples.h), scaled and cut
//   moving:   clips of moving objects, drawn from IDX files of grey images (moving_clips.h)
// Clips need their KIND: folders below a class's folder may also just sort its images. Rows have `shape`; labels are
// equal in both splits; origin() says where the rows come from. NotFound, naming the expected and the present files;
// other errors are the readers'.
absl::StatusOr<std::unique_ptr<ExampleSet>> OpenExamples(const std::string& data, Split split,
                                                         const ExampleShape& shape);

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_DATA_OPEN_EXAMPLES_H_
