// Labelled images from IDX files (the MNIST family), plain or gzipped.
//
// Images are of three dimensions, [count, height, width], one channel; labels are of one. base/idx.h has the format.
#ifndef ANYBIT_MODEL_DATA_IDX_H_
#define ANYBIT_MODEL_DATA_IDX_H_

#include <string>

#include "absl/status/statusor.h"
#include "model/data/example_set.h"

namespace anybit::model {

// Images of their own size. NotFound, or DataLoss naming what does not fit.
absl::StatusOr<MemoryExamples> ReadIdx(const std::string& images_path, const std::string& labels_path);

// The files of a split that FindIdxFiles (idx_files.h) finds at `data`, a folder mostly. Its errors beside those above.
absl::StatusOr<MemoryExamples> ReadIdxFolder(const std::string& data, Split split);

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_DATA_IDX_H_
