// Finds the folder of a data set that holds the classes of a split.
//
// Training rows are in train/ or training/; test rows in test/, testing/, val/, validation/ or valid/, in any case. The
// first of these that has classes is used: many sets have an unlabelled test part without class folders, beside a
// labelled validation part.
#ifndef ANYBIT_MODEL_DATA_SPLIT_FOLDER_H_
#define ANYBIT_MODEL_DATA_SPLIT_FOLDER_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/data/example_set.h"
#include "model/data/folder_entries.h"

namespace anybit::model {

struct SplitFolder {
  std::string path;
  FolderEntries entries;                 // of the path; its folders are classes
  std::vector<std::string> class_names;  // of the training split, sorted; labels of both splits index them
  std::string passed_over;               // skipped folders of this split, for a log; empty where there are none
};

// NotFound, naming the present folders, where no folder of the split has classes; InvalidArgument for names that differ
// in case only, for more classes than an ExampleSet has and for a class that is not named in valid UTF-8.
absl::StatusOr<SplitFolder> FindSplit(const std::string& folder, Split split);

// Whether `folder` contains a folder with a name of either split.
bool HasSplitFolders(const std::string& folder);

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_DATA_SPLIT_FOLDER_H_
