// Files and folders of examples for tests.
#ifndef ANYBIT_MODEL_DATA_EXAMPLE_FILES_H_
#define ANYBIT_MODEL_DATA_EXAMPLE_FILES_H_

#include <string>

#include "base/testing/image_bytes.h"
#include "model/data/image.h"

namespace anybit::model {

// An empty folder of this name under the test's temporary one.
std::string FreshFolder(const std::string& name);

// Writes a file, making the folders above it; returns its path.
std::string WriteFile(const std::string& path, const std::string& bytes);

std::string Gzipped(const std::string& bytes);

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_DATA_EXAMPLE_FILES_H_
