// Where the IDX files of a data set of the MNIST family lie, under the names that its publishers and tools give them.
//
// A name is [SET-]PART-KIND, ending in -idx3-ubyte or .idx3-ubyte (labels: idx1), and perhaps .gz, in any case: PART is
// train, or t10k or test; KIND is images or labels; SET is there where one folder holds several sets, as EMNIST's
// (emnist-letters-train-images-idx3-ubyte.gz). torchvision puts the files of MNIST below MNIST/raw, EMNIST's archive
// below gzip.
#ifndef ANYBIT_MODEL_DATA_IDX_FILES_H_
#define ANYBIT_MODEL_DATA_IDX_FILES_H_

#include <string>

#include "absl/status/statusor.h"
#include "model/data/example_set.h"

namespace anybit {

struct IdxFiles {
  std::string images;
  std::string labels;
};

// Whether files of either split are found at `data`: a folder that has them, or has them in raw/, gzip/, NAME/raw/ or
// NAME/gzip/; or such a folder and the set's name, as in "EMNIST/raw/emnist-letters".
bool HasIdxFiles(const std::string& data);

// The files of `split`, the plain one where it is there gzipped as well. NotFound, naming what is there and lacks its
// counterpart; InvalidArgument, naming them, where there are several sets.
absl::StatusOr<IdxFiles> FindIdxFiles(const std::string& data, Split split);

}  // namespace anybit

#endif  // ANYBIT_MODEL_DATA_IDX_FILES_H_
