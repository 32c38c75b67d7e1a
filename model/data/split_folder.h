// Which folder of a data set holds the classes of a split.
//
// Training lies in train/ or training/; test rows in test/, testing/, val/, validation/ or valid/, in any case. Of
// those that exist the first that has classes is taken: many sets ship an unlabelled test part, whose images lie in no
// class, beside a labelled validation part.
#ifndef ANYBIT_MODEL_DATA_SPLIT_FOLDER_H_
#define ANYBIT_MODEL_DATA_SPLIT_FOLDER_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/data/example_set.h"
#include "model/data/folder_entries.h"

namespace anybit {

struct SplitFolder {
  std::string path;
  FolderEntries entries;                 // of the path; its folders are classes
  std::vector<std::string> class_names;  // of training, sorted: a label is an index of them, whatever the split
  std::string passed_over;               // of other folders of this split, for a log; empty where there was none
};

// NotFound, naming what is there, where no folder of the split has classes; InvalidArgument for names that differ in
// case only, for more classes than an ExampleSet has and for a class that is not named in valid UTF-8.
absl::StatusOr<SplitFolder> FindSplit(const std::string& folder, Split split);

// Whether `folder` has a folder named as one of either split.
bool HasSplitFolders(const std::string& folder);

}  // namespace anybit

#endif  // ANYBIT_MODEL_DATA_SPLIT_FOLDER_H_
