// The examples that a command line names, whatever their format.
#ifndef ANYBIT_MODEL_DATA_OPEN_EXAMPLES_H_
#define ANYBIT_MODEL_DATA_OPEN_EXAMPLES_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "model/data/example_set.h"

namespace anybit {

// Opens FOLDER, whose files tell what it is, or KIND:FOLDER:
//   idx:      the MNIST family's IDX files (idx.h), centred in zeros
//   cifar10:  binary CIFAR-10 (cifar.h), centred in zeros; also in the folder that its archive holds
//   cifar100: cifar100-coarse:  the same of CIFAR-100
//   images:   train/<class>/*.png, *.jpg and test/ or val/ likewise (folder_examples.h), scaled and cut
//   clips:    train/<class>/<clip>/*.png, *.jpg and test/ or val/ likewise (folder_examples.h), scaled and cut
//   moving:   clips of moving objects, drawn from IDX files of grey images (moving_clips.h); never found by itself
// Rows have `shape`; labels are the same in both splits. NotFound, saying what was looked for; else as the readers say.
absl::StatusOr<std::unique_ptr<ExampleSet>> OpenExamples(const std::string& data, Split split,
                                                         const ExampleShape& shape);

}  // namespace anybit

#endif  // ANYBIT_MODEL_DATA_OPEN_EXAMPLES_H_
