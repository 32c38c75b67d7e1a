// The examples that a command line names, whatever their format.
#ifndef ANYBIT_MODEL_DATA_OPEN_EXAMPLES_H_
#define ANYBIT_MODEL_DATA_OPEN_EXAMPLES_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "model/data/example_set.h"

namespace anybit {

// Opens FOLDER, whose files tell what it is, or KIND:FOLDER:
//   idx:      the MNIST family's IDX files (idx_files.h says where they may lie), centred in zeros
//   cifar10:  binary CIFAR-10 (cifar.h), centred in zeros; also in the folder that its archive holds
//   cifar100: cifar100-coarse:  the same of CIFAR-100
//   images:   image files in or below train/<class>/ and test/<class>/ (folder_examples.h; split_folder.h has the other
//             names of the two), scaled and cut
//   clips:    train/<class>/<clip>/*.png, *.jpg and test/ likewise (folder_examples.h), scaled and cut
//   moving:   clips of moving objects, drawn from IDX files of grey images (moving_clips.h)
// Clips are never found by themselves: folders below a class's may as well only sort its images. Rows have `shape`;
// labels are the same in both splits; origin() says where the rows lie. NotFound, saying what was looked for and what
// is there; else as the readers say.
absl::StatusOr<std::unique_ptr<ExampleSet>> OpenExamples(const std::string& data, Split split,
                                                         const ExampleShape& shape);

}  // namespace anybit

#endif  // ANYBIT_MODEL_DATA_OPEN_EXAMPLES_H_
