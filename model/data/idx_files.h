// Finds the IDX files of a data set of the MNIST family, under the names that publishers and tools give them.
//
// A name is [SET-]PART-KIND, ends in -idx3-ubyte or .idx3-ubyte (labels: idx1) and optionally .gz, in any case. PART is
// train, t10k or test; KIND is images or labels. SET is present where one folder holds several sets, as with EMNIST
// (emnist-letters-train-images-idx3-ubyte.gz). torchvision puts the files of MNIST into MNIST/raw, EMNIST's archive
// into gzip.
#ifndef ANYBIT_MODEL_DATA_IDX_FILES_H_
#define ANYBIT_MODEL_DATA_IDX_FILES_H_

#include <string>

#include "absl/status/statusor.h"
#include "model/data/example_set.h"

namespace anybit::model {

struct IdxFiles {
  std::string images;
  std::string labels;
};

// Whether files of either split are found at `data`: a folder that has them, or has them in raw/, gzip/, NAME/raw/ or
// NAME/gzip/; or such a folder and the set's name, as in "EMNIST/raw/emnist-letters".
bool HasIdxFiles(const std::string& data);

// The files of `split`; a plain file is preferred to its gzipped form. NotFound, naming files that lack a counterpart;
// InvalidArgument, naming the sets, where there are several.
absl::StatusOr<IdxFiles> FindIdxFiles(const std::string& data, Split split);

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_DATA_IDX_FILES_H_
