// CIFAR-10 and CIFAR-100 in their "binary version" (A. Krizhevsky's page of the data sets), as published.
//
// A file is records without a header. CIFAR-10: one byte label 0..9, then 3072 bytes of a 32x32 image as three planes,
// red, green, blue, each row by row. CIFAR-100: one byte coarse label 0..19, one byte fine label 0..99, then the same
// 3072 bytes. CIFAR-10 trains on data_batch_1.bin to data_batch_5.bin and tests on test_batch.bin; CIFAR-100 has
// train.bin and test.bin. Class names, one a line, are in batches.meta.txt, fine_label_names.txt and
// coarse_label_names.txt, which may be missing. Each data file may be gzipped, as NAME.gz.
#ifndef ANYBIT_MODEL_DATA_CIFAR_H_
#define ANYBIT_MODEL_DATA_CIFAR_H_

#include <string>

#include "absl/status/statusor.h"
#include "model/data/example_set.h"

namespace anybit::model {

enum class Cifar : uint8_t { k10, k100, k100Coarse };

// Rows of 32x32x3. NotFound, or DataLoss naming file, record, value and limit.
absl::StatusOr<MemoryExamples> ReadCifarFolder(const std::string& folder, Split split, Cifar kind);

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_DATA_CIFAR_H_
