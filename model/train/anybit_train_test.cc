// The program itself: a run that is killed or stopped in the middle and resumed gives the file of a run that was not;
// flags and config files say the same; examples that cannot be read cost nothing that was learned.
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "model/data/example_files.h"
#include "model/format/artifact.h"
#include "model/train/processes/process_group.h"
#include "model/train/report.h"
#include "model/train/testing/stripes.h"
#include "model/train/trainer/checkpoint.h"

namespace anybit {
namespace {

std::string Temporary(const std::string& name) { return absl::StrCat(testing::TempDir(), "/anybit_train_test_", name); }

void WriteBigEndian(std::ofstream& file, std::vector<uint32_t> numbers) {
  for (uint32_t n : numbers) {
    for (int shift = 24; shift >= 0; shift -= 8) file.put(static_cast<char>(n >> shift));
  }
}

// Stripes under the MNIST family's file names.
std::string DataFolder() {
  const std::string folder = Temporary("data");
  std::filesystem::create_directories(folder);
  for (const auto& [name, count] : {std::pair("train", 400), std::pair("t10k", 50)}) {
    const MemoryExamples set = Stripes(count, static_cast<uint64_t>(count), 28);
    std::ofstream images(absl::StrCat(folder, "/", name, "-images-idx3-ubyte"), std::ios::binary);
    WriteBigEndian(images, {0x803, static_cast<uint32_t>(count), 28, 28});
    const auto pixels = set.rows(0, count);
    images.write(reinterpret_cast<const char*>(pixels.data()), static_cast<std::streamsize>(pixels.size()));
    std::ofstream labels(absl::StrCat(folder, "/", name, "-labels-idx1-ubyte"), std::ios::binary);
    WriteBigEndian(labels, {0x801, static_cast<uint32_t>(count)});
    for (int64_t i = 0; i < count; ++i) labels.put(static_cast<char>(set.label(i)));
  }
  return folder;
}

// A running anybit-train; what it says is read as it comes.
class Process {
 public:
  // `environment` are NAME=VALUE beside those of this test.
  explicit Process(std::vector<std::string> flags, std::vector<std::string> environment = {}) {
    int ends[2];
    if (pipe(ends) != 0) std::abort();
    // What it says waits here until it is read: a program that says more waits too, so that a test finds it where it
    // expects it, however fast it is.
    if (fcntl(ends[0], F_SETPIPE_SZ, kPipeBytes) < 0) std::abort();
    std::vector<std::string> words = {"model/train/anybit-train"};
    words.insert(words.end(), flags.begin(), flags.end());
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    process_ = fork();
    if (process_ == 0) {
      for (std::string& variable : environment) putenv(variable.data());
      // Whoever runs this test may ignore some, as nohup does.
      for (const int signal : {SIGTERM, SIGINT, SIGHUP}) ::signal(signal, SIG_DFL);
      dup2(ends[1], STDERR_FILENO);
      dup2(ends[1], STDOUT_FILENO);
      close(ends[0]);
      execv(arguments[0], arguments.data());
      _exit(127);
    }
    close(ends[1]);
    output_ = ends[0];
  }

  ~Process() {
    if (process_ > 0) Kill();
    close(output_);
  }

  // Reads until `text` has been said; false if the program ends before.
  bool WaitFor(const std::string& text) {
    char c;
    while (said_.find(text) == std::string::npos) {
      if (read(output_, &c, 1) != 1) return false;
      said_ += c;
    }
    return true;
  }

  void Signal(int signal) { kill(process_, signal); }

  void Kill() {
    kill(process_, SIGKILL);
    waitpid(process_, nullptr, 0);
    process_ = 0;
  }

  // The exit status, or the signal that ended it as a negative number, after all that it says.
  int Finish() {
    char c;
    while (read(output_, &c, 1) == 1) said_ += c;
    int status = 0;
    waitpid(process_, &status, 0);
    process_ = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }

  const std::string& said() const { return said_; }

  static constexpr int kPipeBytes = 4096;

 private:
  pid_t process_ = 0;
  int output_ = -1;
  std::string said_;
};

// Teachers and swapped blocks to the end: much that a run could lose.
constexpr char kTaught[] = "--recipe=coquant";

std::vector<std::string> Flags(const std::string& name, std::vector<std::string> more = {}) {
  std::vector<std::string> flags = {"--data=" + DataFolder(),
                                    "--arch=fashion_tiny",
                                    "--points=fp32,w4a4f,w1a1",
                                    "--start_steps=4",
                                    "--joint_steps=16",
                                    "--batch=16",
                                    "--held_out=100",
                                    "--norm_batches=2",
                                    "--threads=1",
                                    "--progress_interval=1",
                                    "--out=" + Temporary(name + ".safetensors"),
                                    "--checkpoint=" + Temporary(name + ".ckpt"),
                                    "--checkpoint_interval=3"};
  flags.insert(flags.end(), more.begin(), more.end());
  std::filesystem::remove(Temporary(name + ".ckpt"));
  return flags;
}

std::string FileText(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

TEST(AnybitTrain, GivesTheSameFileAfterKillNineAsWithout) {
  Process whole(Flags("whole", {kTaught}));
  ASSERT_EQ(whole.Finish(), 0) << whole.said();

  {
    Process killed(Flags("killed", {kTaught}));
    ASSERT_TRUE(killed.WaitFor(" 11/20 ")) << killed.said();
    killed.Kill();
  }
  // Wherever between two steps it died: a whole checkpoint is there, and there is no result.
  const int64_t step = ReadCheckpoint(Temporary("killed.ckpt"))->step;
  EXPECT_GE(step, 9);
  EXPECT_LT(step, 20);
  EXPECT_FALSE(std::filesystem::exists(Temporary("killed.safetensors")));

  std::vector<std::string> flags = Flags("again", {kTaught, "--resume"});
  std::filesystem::rename(Temporary("killed.ckpt"), Temporary("again.ckpt"));
  Process again(flags);
  ASSERT_EQ(again.Finish(), 0) << again.said();
  EXPECT_EQ(again.said().find(" 1/20 "), std::string::npos) << again.said();
  EXPECT_EQ(FileText(Temporary("again.safetensors")), FileText(Temporary("whole.safetensors")));
}

// The losses of every step, as shown.
std::vector<std::vector<double>> LossCurve(const std::string& said) {
  std::vector<std::vector<double>> curve;
  for (absl::string_view line : absl::StrSplit(said, '\n')) {
    const std::pair<absl::string_view, absl::string_view> parts = absl::StrSplit(line, absl::MaxSplits("  loss ", 1));
    if (parts.second.empty()) continue;
    std::vector<double>& losses = curve.emplace_back();
    for (absl::string_view word : absl::StrSplit(parts.second, ' ')) {
      double loss = 0;
      if (absl::SimpleAtod(word, &loss)) losses.push_back(loss);
    }
  }
  return curve;
}

double LargestDifference(const std::vector<std::vector<double>>& a, const std::vector<std::vector<double>>& b) {
  double largest = a.size() == b.size() ? 0 : INFINITY;
  for (size_t step = 0; step < std::min(a.size(), b.size()); ++step) {
    if (a[step].size() != b[step].size()) return INFINITY;
    for (size_t i = 0; i < a[step].size(); ++i) largest = std::max(largest, std::abs(a[step][i] - b[step][i]));
  }
  return largest;
}

std::vector<std::string> BriefFlags(const std::string& name, std::vector<std::string> more) {
  std::vector<std::string> brief = {kTaught, "--points=fp32,w4a4f", "--optimizer=sgd", "--learning_rate=0.02",
                                    "--joint_steps=8"};
  brief.insert(brief.end(), more.begin(), more.end());
  return Flags(name, std::move(brief));
}

// Two processes, told what torchrun tells its own.
class Two {
 public:
  explicit Two(const std::vector<std::string>& flags) : Two(flags, flags) {}
  Two(const std::vector<std::string>& flags, const std::vector<std::string>& others)
      : store_(*ProcessGroup::Open({.size = 2}, std::chrono::seconds(60))),
        first(flags, Environment(0)),
        second(others, Environment(1)) {}

 private:
  std::vector<std::string> Environment(int rank) const {
    return {absl::StrCat("RANK=", rank),
            absl::StrCat("LOCAL_RANK=", rank),
            "WORLD_SIZE=2",
            "MASTER_ADDR=localhost",
            absl::StrCat("MASTER_PORT=", store_->port()),
            "TORCHELASTIC_USE_AGENT_STORE=True"};
  }

  const std::unique_ptr<ProcessGroup::Rendezvous> store_;

 public:
  Process first, second;
};

std::vector<std::vector<double>> CurveOfTwo(const std::string& name, std::vector<std::string> more) {
  Two two(BriefFlags(name, std::move(more)));
  EXPECT_EQ(two.first.Finish(), 0) << two.first.said();
  EXPECT_EQ(two.second.Finish(), 0) << two.second.said();
  EXPECT_EQ(two.second.said(), "");  // the first one speaks for both
  return LossCurve(two.first.said());
}

std::vector<std::vector<double>> CurveOfOne(const std::string& name, std::vector<std::string> more) {
  // Threads that wait for others make room for them: there are more than processors.
  Process run(BriefFlags(name, std::move(more)), {"OMP_WAIT_POLICY=PASSIVE"});
  EXPECT_EQ(run.Finish(), 0) << run.said();
  return LossCurve(run.said());
}

// Losses are shown to .001, both of a pair rounded.
constexpr double kShown = 0.001 + 1e-9;

TEST(AnybitTrain, TrainsInTwoProcessesAsInOneWithTheDoubledBatch) {
  const std::vector<std::vector<double>> one = CurveOfOne("one", {"--points=fp32", "--batch=32"});
  ASSERT_EQ(one.size(), 12u);
  EXPECT_LE(LargestDifference(one, CurveOfTwo("two", {"--points=fp32", "--batch=16"})), kShown);
  EXPECT_TRUE(ReadArtifact(Temporary("two.safetensors")).ok());
  // With batch norm of their own the two are another training.
  EXPECT_GT(LargestDifference(one, CurveOfTwo("two", {"--points=fp32", "--batch=16", "--sync_norm=false"})),
            2 * kShown);
}

// A rounding can move a value over a step of its quantizer, so how far the order of additions alone leads has to be
// seen: other numbers of threads change nothing else.
TEST(AnybitTrain, TrainsQuantizedPointsInTwoProcessesAsInOneUpToTheOrderOfAdditions) {
  const auto flags = [](const char* batch, int threads) {
    return std::vector<std::string>{absl::StrCat("--batch=", batch), absl::StrCat("--threads=", threads)};
  };
  const std::vector<std::vector<double>> one = CurveOfOne("one", flags("32", 1));
  ASSERT_EQ(one.size(), 12u);
  double tolerance = kShown;
  for (int threads : {2, 3}) {
    tolerance = std::max(tolerance, 2 * LargestDifference(one, CurveOfOne("one", flags("32", threads))));
  }
  ASSERT_LT(tolerance, 0.02);
  EXPECT_LE(LargestDifference(one, CurveOfTwo("two", flags("16", 1))), tolerance);
}

// The activation steps in a checkpoint.
std::vector<float> StepsIn(const std::string& name) {
  std::vector<float> steps;
  const Checkpoint checkpoint = *ReadCheckpoint(Temporary(name + ".ckpt"));
  for (const auto& [tensor, values] : checkpoint.tensors) {
    if (tensor.starts_with("network.") && tensor.ends_with("_step")) steps.push_back(values.values[0]);
  }
  return steps;
}

// LSQ scales their gradients by 1 / sqrt(elements), of which a process has half.
TEST(AnybitTrain, MovesActivationStepsInTwoProcessesAsInOne) {
  const auto flags = [](const char* batch, const char* rate) {
    return std::vector<std::string>{"--start_steps=0", "--joint_steps=1", "--recipe=coquant,step_rate=10",
                                    absl::StrCat("--batch=", batch), absl::StrCat("--learning_rate=", rate)};
  };
  CurveOfOne("still", flags("32", "1e-9"));
  CurveOfOne("one", flags("32", "1"));
  CurveOfTwo("two", flags("16", "1"));
  const std::vector<float> still = StepsIn("still"), one = StepsIn("one"), two = StepsIn("two");
  ASSERT_GT(one.size(), 5u);
  double moved = 0, apart = 0;
  for (size_t i = 0; i < one.size(); ++i) {
    moved += std::abs(one[i] - still[i]);
    apart += std::abs(two[i] - one[i]);
  }
  EXPECT_LT(apart, 0.05 * moved);  // a factor of sqrt(2) is .41
}

TEST(AnybitTrain, GoesOnInTwoProcessesAsIfNeitherHadEverBeenKilled) {
  CurveOfTwo("two_whole", {});
  {
    Two two(BriefFlags("two_killed", {}));
    ASSERT_TRUE(two.first.WaitFor(" 8/12 ")) << two.first.said();
    two.first.Kill();
    // Who is left does not wait for long, and says what happened.
    EXPECT_EQ(two.second.Finish(), 1);
    EXPECT_NE(two.second.said().find("anybit-train: "), std::string::npos) << two.second.said();
  }
  const std::vector<std::string> flags = BriefFlags("two_again", {"--resume"});
  std::filesystem::rename(Temporary("two_killed.ckpt"), Temporary("two_again.ckpt"));
  Two two(flags);
  ASSERT_EQ(two.first.Finish(), 0) << two.first.said();
  ASSERT_EQ(two.second.Finish(), 0) << two.second.said();
  EXPECT_EQ(two.first.said().find(" 1/12 "), std::string::npos) << two.first.said();
  EXPECT_EQ(FileText(Temporary("two_again.safetensors")), FileText(Temporary("two_whole.safetensors")));
}

// More steps than lines that wait to be read: what a test does while it reads the first ones happens before the end.
std::vector<std::string> LongFlags(const std::string& name, std::vector<std::string> more = {}) {
  constexpr int kShortestLine = 60;
  std::vector<std::string> flags = {absl::StrCat("--joint_steps=", Process::kPipeBytes / kShortestLine + 16),
                                    "--points=fp32,w4a4f", "--checkpoint_interval=1000"};
  flags.insert(flags.end(), more.begin(), more.end());
  return Flags(name, std::move(flags));
}

// The command that the program said goes on.
std::string CommandOf(const std::string& said) {
  const std::pair<std::string, std::string> parts = absl::StrSplit(said, absl::MaxSplits(": model/train/", 1));
  return absl::StrCat("model/train/", parts.second.substr(0, parts.second.find('\n')));
}

TEST(AnybitTrain, FinishesTheStepAndSavesWhenASignalEndsItAndSaysHowToGoOn) {
  Process whole(LongFlags("unstopped", {kTaught}));
  ASSERT_EQ(whole.Finish(), 0) << whole.said();

  Process stopped(LongFlags("stopped", {kTaught, "--label=it's one"}));
  ASSERT_TRUE(stopped.WaitFor(" 7/")) << stopped.said();
  stopped.Signal(SIGTERM);
  ASSERT_EQ(stopped.Finish(), 128 + SIGTERM) << stopped.said();
  const int64_t step = ReadCheckpoint(Temporary("stopped.ckpt"))->step;
  EXPECT_GE(step, 7);
  EXPECT_NE(stopped.said().find(absl::StrCat("anybit-train: SIGTERM: stopped after step ", step, " of 88, saved in '",
                                             Temporary("stopped.ckpt"), "'\nto go on: model/train/anybit-train ")),
            std::string::npos)
      << stopped.said();
  EXPECT_FALSE(std::filesystem::exists(Temporary("stopped.safetensors")));

  ASSERT_EQ(std::system(CommandOf(stopped.said()).c_str()), 0) << CommandOf(stopped.said());
  EXPECT_EQ(FileText(Temporary("stopped.safetensors")), FileText(Temporary("unstopped.safetensors")));
}

TEST(AnybitTrain, EndsAsTheSignalSays) {
  for (const auto& [signal, name] : {std::pair(SIGINT, "SIGINT"), std::pair(SIGHUP, "SIGHUP")}) {
    Process run(LongFlags("signals"));
    ASSERT_TRUE(run.WaitFor(" 5/")) << run.said();
    run.Signal(signal);
    EXPECT_EQ(run.Finish(), 128 + signal) << run.said();
    EXPECT_NE(run.said().find(absl::StrCat("anybit-train: ", name, ": stopped after step ")), std::string::npos)
        << run.said();
    EXPECT_TRUE(ReadCheckpoint(Temporary("signals.ckpt")).ok());
  }
}

TEST(AnybitTrain, EndsAtOnceOnASecondSignal) {
  Process run(LongFlags("twice"));
  ASSERT_TRUE(run.WaitFor(" 5/")) << run.said();
  // Saving opens this file, and of a pipe that nobody reads that lasts for ever.
  ASSERT_EQ(mkfifo(Temporary("twice.ckpt.partial").c_str(), 0600), 0);
  run.Signal(SIGTERM);
  EXPECT_TRUE(run.WaitFor("the same signal again ends at once")) << run.said();
  run.Signal(SIGTERM);
  EXPECT_EQ(run.Finish(), -SIGTERM) << run.said();
  std::filesystem::remove(Temporary("twice.ckpt.partial"));
}

TEST(AnybitTrain, EndsInAllProcessesWhenASignalReachesOne) {
  {
    Two two(LongFlags("two_stopped"));
    ASSERT_TRUE(two.first.WaitFor(" 7/")) << two.first.said();
    two.second.Signal(SIGINT);
    EXPECT_EQ(two.first.Finish(), 128 + SIGINT) << two.first.said();
    EXPECT_EQ(two.second.Finish(), 128 + SIGINT) << two.second.said();
    EXPECT_EQ(two.second.said(), "");
    EXPECT_NE(two.first.said().find("\nto go on, in all 2 processes: model/train/anybit-train "), std::string::npos)
        << two.first.said();
  }
  const int64_t step = ReadCheckpoint(Temporary("two_stopped.ckpt"))->step;
  std::filesystem::rename(Temporary("two_stopped.ckpt"), Temporary("two_kept.ckpt"));
  const std::vector<std::string> flags = LongFlags("two_stopped", {"--resume"});
  std::filesystem::rename(Temporary("two_kept.ckpt"), Temporary("two_stopped.ckpt"));
  Two again(flags);
  ASSERT_EQ(again.first.Finish(), 0) << again.first.said();
  ASSERT_EQ(again.second.Finish(), 0) << again.second.said();
  EXPECT_EQ(again.first.said().find(absl::StrCat(" ", step, "/")), std::string::npos) << again.first.said();
  EXPECT_NE(again.first.said().find(absl::StrCat(" ", step + 1, "/")), std::string::npos) << again.first.said();
}

// The flags without those that name a checkpoint.
std::vector<std::string> WithoutCheckpoint(std::vector<std::string> flags) {
  std::erase_if(flags, [](const std::string& flag) { return flag.starts_with("--checkpoint="); });
  return flags;
}

TEST(AnybitTrain, SavesBesideTheArtifactWhereNothingElseIsSaidAndTidiesUpWhenAllIsDone) {
  const std::string checkpoint = Temporary("beside.ckpt"), previous = Temporary("beside.ckpt.previous");
  std::filesystem::remove(previous);
  Process choosing(WithoutCheckpoint(Flags("beside", {"--joint_steps=2", "--test=false"})));
  ASSERT_EQ(choosing.Finish(), 0) << choosing.said();
  EXPECT_EQ(ReadCheckpoint(checkpoint)->step, 6) << "the test is yet to come";

  // Another run does not write over it.
  std::vector<std::string> flags = LongFlags("other", {"--out=" + Temporary("beside.safetensors")});
  Process stopped(WithoutCheckpoint(flags));
  ASSERT_TRUE(stopped.WaitFor(" 5/")) << stopped.said();
  stopped.Signal(SIGTERM);
  ASSERT_EQ(stopped.Finish(), 128 + SIGTERM) << stopped.said();
  EXPECT_GE(ReadCheckpoint(checkpoint)->step, 5);
  EXPECT_EQ(ReadCheckpoint(previous)->step, 6);
  EXPECT_NE(stopped.said().find(absl::StrCat("an earlier checkpoint is kept as '", previous, "'")), std::string::npos)
      << stopped.said();

  Process none(Flags("none", {"--checkpoint=none", "--joint_steps=2"}));
  ASSERT_EQ(none.Finish(), 0) << none.said();
  EXPECT_FALSE(std::filesystem::exists(Temporary("none.ckpt")));

  ASSERT_EQ(std::system(CommandOf(stopped.said()).c_str()), 0) << CommandOf(stopped.said());
  EXPECT_FALSE(std::filesystem::exists(checkpoint));
}

// Stripes as files in `splits`, 12 of each of the four classes.
std::string ImageFolder(const std::string& name, const std::vector<std::string>& splits) {
  const std::string folder = FreshFolder("anybit_train_test_" + name);
  for (const std::string& split : splits) {
    const MemoryExamples set = Stripes(200, split.size(), 32);
    std::vector<int> counts(4);
    for (int64_t i = 0; i < set.count(); ++i) {
      const int label = set.label(i);
      if (++counts[label] > 12) continue;
      const auto row = set.rows(i, 1);
      WriteFile(absl::StrCat(folder, "/", split, "/class", label, "/", counts[label], ".png"),
                PngBytes({32, 32, 1, {row.begin(), row.end()}}));
    }
  }
  return folder;
}

void CutInTheMiddle(const std::string& path) {
  std::filesystem::resize_file(path, std::filesystem::file_size(path) / 2);
}

TEST(AnybitTrain, FindsDamagedImagesOfBothSplitsBeforeTheFirstStepAndLeavesThemOutWhereAllowed) {
  const std::string folder = ImageFolder("damaged", {"train", "test"});
  const std::string training = folder + "/train/class1/3.png", test = folder + "/test/class2/4.png";
  CutInTheMiddle(training);
  const auto run = [&](std::vector<std::string> more) {
    more.insert(more.begin(), {"--data=" + folder, "--held_out=8", "--joint_steps=2", "--points=fp32"});
    return std::make_unique<Process>(Flags("damaged", std::move(more)));
  };
  auto refused = run({});
  EXPECT_EQ(refused->Finish(), 1);
  EXPECT_NE(refused->said().find(absl::StrCat("1 example of 48 cannot be read, limit 0: '", training,
                                              "': PNG: the file ends too early (--max_damaged=1 leaves them out)")),
            std::string::npos)
      << refused->said();
  CutInTheMiddle(test);
  auto too_many = run({"--max_damaged=1"});
  EXPECT_EQ(too_many->Finish(), 1);
  EXPECT_NE(too_many->said().find(test), std::string::npos) << too_many->said();
  EXPECT_EQ(too_many->said().find(" 1/6 "), std::string::npos) << too_many->said();
  auto allowed = run({"--max_damaged=2"});
  ASSERT_EQ(allowed->Finish(), 0) << allowed->said();
  for (const std::string& path : {training, test}) {
    EXPECT_NE(allowed->said().find(absl::StrCat("damaged, left out: '", path, "'")), std::string::npos)
        << allowed->said();
  }
  EXPECT_EQ(ParseRun(FileText(Temporary("damaged.json")))->points(0).test_images(), 47);
}

TEST(AnybitTrain, FindsTheSameDamagedImagesInTwoProcesses) {
  const std::string folder = ImageFolder("two_damaged", {"train", "test"});
  CutInTheMiddle(folder + "/train/class1/3.png");
  CutInTheMiddle(folder + "/train/class1/4.png");
  const std::vector<std::string> flags =
      BriefFlags("two_damaged", {"--data=" + folder, "--held_out=8", "--points=fp32", "--batch=8", "--max_damaged=2"});
  Two two(flags);
  EXPECT_EQ(two.first.Finish(), 0) << two.first.said();
  EXPECT_EQ(two.second.Finish(), 0) << two.second.said();
  EXPECT_EQ(two.second.said(), "");
  for (const char* file : {"3.png", "4.png"}) {
    EXPECT_NE(two.first.said().find(absl::StrCat("damaged, left out: '", folder, "/train/class1/", file)),
              std::string::npos)
        << two.first.said();
  }
}

TEST(AnybitTrain, SavesWhatItLearnedBeforeAnImageThatHasGone) {
  const std::string folder = ImageFolder("gone", {"train", "test"});
  Process run(LongFlags("gone", {"--data=" + folder, "--held_out=8", "--points=fp32"}));
  ASSERT_TRUE(run.WaitFor(" 5/")) << run.said();
  std::filesystem::remove_all(folder + "/train/class1");
  EXPECT_EQ(run.Finish(), 1);
  EXPECT_NE(run.said().find("anybit-train: cannot open '" + folder + "/train/class1/"), std::string::npos)
      << run.said();
  EXPECT_NE(run.said().find("to go on: model/train/anybit-train "), std::string::npos) << run.said();
  EXPECT_GE(ReadCheckpoint(Temporary("gone.ckpt"))->step, 5);
}

TEST(AnybitTrain, NeedsNoTestRowsWhereItDoesNotTest) {
  const std::string folder = ImageFolder("untested_images", {"Train"});
  const std::vector<std::string> more = {"--data=" + folder, "--held_out=8", "--joint_steps=2", "--points=fp32"};
  Process refused(Flags("untested_images", more));
  EXPECT_EQ(refused.Finish(), 1);
  EXPECT_NE(refused.said().find("has no folder test, testing, val, validation, valid; it holds 'Train'"),
            std::string::npos)
      << refused.said();
  std::vector<std::string> untested = Flags("untested_images", more);
  untested.push_back("--test=false");
  Process run(untested);
  EXPECT_EQ(run.Finish(), 0) << run.said();
  EXPECT_NE(run.said().find("training rows: 48 images of 4 classes in '" + folder + "/Train'"), std::string::npos)
      << run.said();
}

TEST(AnybitTrain, NamesTheRunInItsReportAsAsked) {
  Process run(Flags("labelled", {"--start_steps=1", "--joint_steps=1", "--label=plain"}));
  ASSERT_EQ(run.Finish(), 0) << run.said();
  const absl::StatusOr<TrainingRun> report = ParseRun(FileText(Temporary("labelled.json")));
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->recipe(), "plain");
  EXPECT_NE(report->command().find("--recipe=anybit "), std::string::npos) << report->command();
}

TEST(AnybitTrain, RoundsTheBackwardPassWhereAskedToAndSaysSo) {
  std::vector<std::string> stores;
  for (const char* backward : {"float", "bfloat16"}) {
    Process run(BriefFlags("backward", {absl::StrCat("--backward=", backward)}));
    ASSERT_EQ(run.Finish(), 0) << run.said();
    const absl::StatusOr<Artifact> artifact = ReadArtifact(Temporary("backward.safetensors"));
    ASSERT_TRUE(artifact.ok()) << artifact.status();
    EXPECT_EQ(artifact->trained_with.find("--backward=bfloat16") != std::string::npos,
              backward == std::string("bfloat16"));
    stores.emplace_back(artifact->store[1].q8.begin(), artifact->store[1].q8.end());
  }
  EXPECT_TRUE(stores[0] != stores[1]);  // bytes that nobody wants to read
}

TEST(AnybitTrain, RefusesProcessesThatWereStartedForDifferentRuns) {
  const std::vector<std::string> flags = BriefFlags("unlike", {}),
                                 others = BriefFlags("unlike", {"--weight_decay=0.5"});
  Two two(flags, others);
  EXPECT_EQ(two.second.Finish(), 1);
  EXPECT_NE(two.second.said().find("process 1 was started for another run than process 0"), std::string::npos)
      << two.second.said();
  EXPECT_EQ(two.first.Finish(), 1);
}

TEST(AnybitTrain, SaysWhatItCannotDoBeforeItTrains) {
  const auto error = [](std::vector<std::string> more) {
    Process run(Flags("refused", std::move(more)));
    EXPECT_EQ(run.Finish(), 1);
    EXPECT_EQ(run.said().find(" 1/20 "), std::string::npos) << run.said();
    return run.said();
  };
  EXPECT_NE(error({"--out=" + testing::TempDir()}).find("is a folder, not a file to write"), std::string::npos);
  EXPECT_NE(error({"--checkpoint=" + testing::TempDir()}).find("is a folder, not a file to write"), std::string::npos);
  EXPECT_NE(error({"--resume", "false"}).find("unexpected argument 'false'"), std::string::npos);
  EXPECT_NE(error({"--config=" + testing::TempDir()}).find("cannot read '"), std::string::npos);
  EXPECT_NE(error({"--recipe=separate", "--joint_steps=0"}).find("point 'fp32' runs every 1 joint steps"),
            std::string::npos);
}

TEST(AnybitTrain, LeavesAReportBesideTheArtifact) {
  Process run(Flags("report", {"--joint_steps=2", "--seed=3", "--recipe=coquant,swap=0"}));
  ASSERT_EQ(run.Finish(), 0) << run.said();
  const absl::StatusOr<TrainingRun> report = ParseRun(FileText(Temporary("report.json")));
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->recipe(), "coquant,swap=0");
  EXPECT_EQ(report->network(), "fashion_tiny");
  EXPECT_EQ(report->images(), "anybit_train_test_data");
  EXPECT_NE(report->command().find("--data=anybit_train_test_data "), std::string::npos) << report->command();
  EXPECT_EQ(report->seed(), 3u);
  EXPECT_GT(report->processor_seconds(), 0);
  const Artifact artifact = *ReadArtifact(Temporary("report.safetensors"));
  EXPECT_EQ(report->command(), artifact.trained_with);
  ASSERT_EQ(report->points_size(), 3);
  for (int p = 0; p < 3; ++p) {
    EXPECT_EQ(report->points(p).name(), artifact.points[p].info.name);
    EXPECT_EQ(report->points(p).test_accuracy(), artifact.points[p].info.accuracy);
    EXPECT_EQ(report->points(p).held_out_images(), 100);
    EXPECT_EQ(report->points(p).test_images(), 50);
  }
  EXPECT_NE(run.said().find("| coquant,swap=0 |"), std::string::npos) << run.said();
}

// Runs are chosen by the held-out images; the chosen one is resumed at its end to be tested.
TEST(AnybitTrain, LeavesTheTestImagesAloneUntilAskedFor) {
  std::vector<std::string> flags = Flags("untested", {"--joint_steps=2", "--test=false"});
  Process choosing(flags);
  ASSERT_EQ(choosing.Finish(), 0) << choosing.said();
  const Artifact before = *ReadArtifact(Temporary("untested.safetensors"));
  const TrainingRun report = *ParseRun(FileText(Temporary("untested.json")));
  for (int p = 0; p < 3; ++p) {
    EXPECT_EQ(report.points(p).test_images(), 0);
    EXPECT_EQ(before.points[p].accuracy_images, 100);
    EXPECT_EQ(before.points[p].info.accuracy, report.points(p).held_out_accuracy());
  }
  EXPECT_EQ(choosing.said().find("Test set"), std::string::npos) << choosing.said();
  flags.back() = "--resume";
  Process testing(flags);
  ASSERT_EQ(testing.Finish(), 0) << testing.said();
  const Artifact after = *ReadArtifact(Temporary("untested.safetensors"));
  EXPECT_EQ(testing.said().find(" 1/6 "), std::string::npos) << testing.said();
  EXPECT_EQ(after.trained_with, before.trained_with);
  for (size_t p = 0; p < 3; ++p) {
    EXPECT_EQ(after.points[p].accuracy_images, 50);
    for (size_t l = 0; l < after.points[p].layers.size(); ++l) {
      EXPECT_EQ(after.points[p].layers[l].scale, before.points[p].layers[l].scale);
      EXPECT_EQ(after.points[p].layers[l].bias, before.points[p].layers[l].bias);
    }
  }
  for (size_t l = 0; l < after.store.size(); ++l) {
    EXPECT_EQ(after.store[l].q8, before.store[l].q8);
    EXPECT_EQ(after.store[l].full, before.store[l].full);
  }
}

TEST(AnybitTrain, TakesFlagsFromAConfigFileAndLetsTheCommandLineWin) {
  const std::string config = Temporary("run.cfg");
  std::ofstream(config) << "# all at once\nrecipe = coquant,teacher=next\njoint_steps = 3\nseed = 9\naugment = none\n";
  std::vector<std::string> flags = Flags("config", {"--config=" + config, "--seed=5"});
  std::erase(flags, "--joint_steps=16");
  Process run(flags);
  ASSERT_EQ(run.Finish(), 0) << run.said();
  const std::string command = ReadArtifact(Temporary("config.safetensors"))->trained_with;
  EXPECT_NE(command.find("--recipe=coquant,teacher=next "), std::string::npos) << command;
  EXPECT_NE(command.find("--joint_steps=3 "), std::string::npos) << command;
  EXPECT_NE(command.find("--augment=none "), std::string::npos) << command;
  EXPECT_NE(command.find("--seed=5"), std::string::npos) << command;
}

TEST(AnybitTrain, WritesOneArtifactPerPointThatIsTrainedAlone) {
  std::vector<std::string> flags = Flags("alone", {"--recipe=separate", "--joint_steps=2", "--points=w4a4,w1a1"});
  Process run(flags);
  ASSERT_EQ(run.Finish(), 0) << run.said();
  for (const char* point : {"w4a4", "w1a1"}) {
    const absl::StatusOr<Artifact> artifact = ReadArtifact(Temporary(absl::StrCat("alone.", point, ".safetensors")));
    ASSERT_TRUE(artifact.ok()) << artifact.status();
    EXPECT_EQ(artifact->points.size(), 1u);
    EXPECT_EQ(artifact->points[0].info.name, point);
  }
}

TEST(AnybitTrain, SaysWhatIsWrongBeforeItTrains) {
  const auto error = [](std::vector<std::string> more) {
    Process run(Flags("wrong", std::move(more)));
    EXPECT_EQ(run.Finish(), 1);
    return run.said();
  };
  EXPECT_EQ(error({"--recipe=coquant,swap=2"}), "anybit-train: recipe: swap=2 is not one of 0..1\n");
  const std::string shift = error({"--augment=shift=99"});
  EXPECT_TRUE(shift.ends_with(
      "anybit-train: augmentation 'shift=99': shift must be below and cutout at most 32 in pictures of 32x32x1\n"))
      << shift;
  EXPECT_EQ(error({"--optimizer=lamb"}), "anybit-train: optimizer 'lamb' is not adamw or sgd\n");
  EXPECT_EQ(error({"--backward=half"}), "anybit-train: backward 'half' is not float or bfloat16\n");
  const std::string config = Temporary("wrong.cfg");
  std::ofstream(config) << "seed = 1\njoin_steps = 3\n";
  EXPECT_EQ(error({"--config", config}).substr(0, 200).find("wrong.cfg:2: unknown key 'join_steps'; known: ") !=
                std::string::npos,
            true);
  std::ofstream(config) << "batch = many\n";
  EXPECT_NE(error({"--config=" + config}).find("wrong.cfg:1: batch = many: "), std::string::npos);
  EXPECT_NE(error({"--start=" + config}).find("is no artifact ("), std::string::npos);
}

}  // namespace
}  // namespace anybit
