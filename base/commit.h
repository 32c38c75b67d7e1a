// The commit that a program was built from. Only programs use it: every user is rebuilt with each commit.
#ifndef ANYBIT_BASE_COMMIT_H_
#define ANYBIT_BASE_COMMIT_H_

namespace anybit {

// Twelve hex digits, "+" behind them where files differed from it; "unknown" if there was no repository.
extern const char kCommit[];

}  // namespace anybit

#endif  // ANYBIT_BASE_COMMIT_H_
