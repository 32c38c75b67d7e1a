#include "scheduler/sim/simulate_command.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "base/json.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace anybit::scheduler::sim {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

struct Ran {
  int exit_code;
  std::string out;
  std::string err;
};

Ran Simulated(const std::vector<std::string>& arguments) {
  std::ostringstream out;
  std::ostringstream err;
  const int exit_code = RunSimulateCommand(arguments, out, err);
  return {exit_code, out.str(), err.str()};
}

std::string PathOf(const std::string& name) { return std::string(std::getenv("TEST_TMPDIR")) + "/" + name; }

std::string WriteFile(const std::string& name, const std::string& text) {
  std::ofstream(PathOf(name), std::ios::binary) << text;
  return PathOf(name);
}

std::string ReadFile(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

class SimulateCommandTest : public ::testing::Test {
 protected:
  // "hi" takes 4 ms for one row and 6 ms for two, "lo" 1 and 1.5: a capacity of 1333.3 rows a second.
  const std::string profile_ = WriteFile("profile.json", R"({"max_batch": 2, "points": [
      {"name": "hi", "accuracy": 0.9, "latency_us": [4000, 6000]},
      {"name": "lo", "accuracy": 0.7, "latency_us": [1000, 1500]}]})");
  // In time as the second batch; in time as the first; below no point; too late for any.
  const std::string arrivals_ = WriteFile("arrivals.csv",
                                          "id,arrival_us,deadline_us,min_accuracy\n"
                                          "4,1500.5,50000,0.9\n"
                                          "5,1000,50000,\n"
                                          "3,2000,50000,0.95\n"
                                          "2,3000,3500,0\n");
};

TEST_F(SimulateCommandTest, WritesTheOutcomeOfEachRequest) {
  const std::string outcomes = PathOf("outcomes.csv");
  const Ran ran =
      Simulated({"--profile", profile_, "--arrivals", arrivals_, "--policy", "fixed:hi", "--outcomes", outcomes});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_EQ(ReadFile(outcomes),
            "id,outcome,point,batch,start_us,finish_us\n"
            "4,served,hi,1,5000,9000\n"
            "5,served,hi,1,1000,5000\n"
            "3,shed,,,,\n"
            "2,shed,,,,\n");
  EXPECT_THAT(ran.out,
              AllOf(HasSubstr("offered                        4\n"), HasSubstr("shed                           2\n"),
                    HasSubstr("attainment               50.00 %\n"), HasSubstr("utility / bound")));
}

TEST_F(SimulateCommandTest, PrintsOneJsonObjectForEachPolicy) {
  const Ran ran = Simulated({"--profile", profile_, "--workload", "constant", "--load", "0.5", "--requests", "100",
                             "--objective", "30ms", "--policy", "fixed:lo,fixed:hi", "--json"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  std::istringstream lines(ran.out);
  std::string first, second, rest;
  std::getline(lines, first);
  std::getline(lines, second);
  EXPECT_FALSE(std::getline(lines, rest)) << rest;
  const absl::StatusOr<Json> fields = ParseJsonObject(first);
  ASSERT_TRUE(fields.ok()) << fields.status() << " in " << first;
  EXPECT_EQ((*fields)["trace"], "constant");
  EXPECT_EQ((*fields)["policy"], "fixed:lo");
  EXPECT_EQ((*fields)["objective_ms"], 30);
  EXPECT_EQ((*fields)["offered"], 100);
  EXPECT_EQ((*fields)["attained"], 100);
  EXPECT_EQ((*fields)["utility"], 0.7);
  EXPECT_NEAR((*fields)["capacity"].get<double>(), 1333.33, 0.01);
  EXPECT_EQ((*fields)["p50_ms"], 1);
  EXPECT_EQ((*fields)["attained_by_point"]["lo"], 100);
  EXPECT_GT((*fields)["bound_sum"], 70);
  EXPECT_TRUE(fields->contains("decision_p99_ns"));
  EXPECT_EQ((*ParseJsonObject(second))["policy"], "fixed:hi");
}

TEST_F(SimulateCommandTest, LeavesOutTheBoundOnRequest) {
  const Ran ran = Simulated({"--profile", profile_, "--requests", "10", "--bound=false"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_THAT(ran.out, Not(HasSubstr("bound")));
}

TEST_F(SimulateCommandTest, ChoosesAnObjectiveAndPrintsIt) {
  EXPECT_THAT(Simulated({"--profile", profile_, "--requests", "10"}).out,
              StartsWith("poisson, load 0.8 (of 1333.3 requests/s), objective 15 ms, 1 slot, seed 1\n"));
  EXPECT_THAT(Simulated({"--profile", profile_, "--requests", "10", "--noise", "0.1", "--profile_ratio", "2"}).out,
              HasSubstr(", 1 slot, noise 0.1, profile x 2, seed 1\n"));
}

TEST_F(SimulateCommandTest, ASavedTraceRunsAsTheOriginalDid) {
  const std::string saved = PathOf("saved.csv");
  const std::vector<std::string> common = {"--profile", profile_, "--noise", "0.1", "--slots", "2", "--seed", "9"};
  std::vector<std::string> made = common, replayed = common;
  made.insert(made.end(), {"--workload", "gamma4", "--load", "1.1", "--requests", "300", "--save_arrivals", saved,
                           "--outcomes", PathOf("made.csv")});
  replayed.insert(replayed.end(), {"--arrivals", saved, "--outcomes", PathOf("replayed.csv")});
  EXPECT_EQ(Simulated(made).exit_code, 0);
  EXPECT_EQ(Simulated(replayed).exit_code, 0);
  EXPECT_EQ(ReadFile(PathOf("made.csv")), ReadFile(PathOf("replayed.csv")));
  EXPECT_THAT(ReadFile(PathOf("made.csv")), HasSubstr("served"));
}

TEST_F(SimulateCommandTest, ReplaysArrivalTimesAsTheyAreOrAtALoad) {
  const std::string times = WriteFile("times.txt", "0\n1\n2.5\n100\n");
  const std::string saved = PathOf("times.csv");
  const std::vector<std::string> common = {"--profile",   profile_, "--arrival_times", times,
                                           "--objective", "10ms",   "--save_arrivals", saved};
  EXPECT_EQ(Simulated(common).exit_code, 0);
  EXPECT_EQ(ReadFile(saved),
            "id,arrival_us,deadline_us,min_accuracy\n0,0,10000,0\n1,1000,11000,0\n2,2500,12500,0\n3,100000,110000,0\n");
  // Three gaps at a tenth of the capacity, 133.33 a second, are 22.5 ms.
  std::vector<std::string> stretched = common;
  stretched.insert(stretched.end(), {"--load", "0.1"});
  const Ran ran = Simulated(stretched);
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_THAT(ReadFile(saved), HasSubstr("\n1,225,"));
  EXPECT_THAT(ReadFile(saved), HasSubstr("\n3,22500,"));
}

TEST_F(SimulateCommandTest, AWrongProfileMakesBatchesLate) {
  // Shown a tenth of the latencies, the first batch at "hi" looks as if it met 2 ms.
  const std::string arrivals = WriteFile("one.csv", "id,arrival_us,deadline_us,min_accuracy\n1,0,2000,0\n");
  const Ran ran =
      Simulated({"--profile", profile_, "--arrivals", arrivals, "--policy", "fixed:hi", "--profile_ratio", "0.1"});
  EXPECT_THAT(ran.out, HasSubstr("late                           1\n"));
}

TEST_F(SimulateCommandTest, ASweepWritesItsTableAndItsFigures) {
  const std::string directory = PathOf("sweep/results");
  const Ran ran =
      Simulated({"--profile", profile_, "--sweep", "--out", directory, "--workload", "poisson,step", "--loads", "0.5,1",
                 "--requests", "50", "--seed", "1,2", "--policy", "slackfit,fixed:lo", "--jobs", "2"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_THAT(ran.out,
              AllOf(HasSubstr("16 runs of 50 requests"), HasSubstr("| fixed:lo |"), HasSubstr("wrote 7 files")));
  const std::string csv = ReadFile(directory + "/sweep.csv");
  EXPECT_EQ(std::count(csv.begin(), csv.end(), '\n'), 17);
  EXPECT_THAT(csv, HasSubstr("\nstep,1,2,slackfit,50,"));
  EXPECT_THAT(ReadFile(directory + "/sweep.md"),
              StartsWith("# Policies on profile.json, 1 slot, objective 15 ms, 50 requests, seeds 1, 2\n"));
  for (const char* figure :
       {"sweep.svg", "sweep-poisson.svg", "sweep-step.svg", "points-poisson.svg", "points-step.svg"}) {
    EXPECT_THAT(ReadFile(directory + "/" + figure), AllOf(StartsWith("<svg "), HasSubstr("</svg>"))) << figure;
  }
  EXPECT_THAT(ReadFile(directory + "/points-step.svg"), HasSubstr("slackfit on step at load 1; profile.json"));
}

TEST_F(SimulateCommandTest, TheServersWorldCountsTheEdgeInCapacityAndLatency) {
  // 750 us a row at "lo", 35 us at the edge.
  const Ran ran = Simulated({"--profile", profile_, "--requests", "10", "--world", "server"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_THAT(ran.out,
              AllOf(StartsWith("poisson, load 0.8 (of 1273.9 requests/s)"), HasSubstr(", the server's world")));
  EXPECT_THAT(Simulated({"--profile", profile_, "--requests", "10", "--world", "server", "--json"}).out,
              HasSubstr("\"world\":\"server\""));
  const std::vector<std::string> common = {"--profile", profile_, "--requests", "10"};
  std::vector<std::string> ideal = common;
  ideal.insert(ideal.end(), {"--world", "ideal"});
  EXPECT_THAT(Simulated(ideal).out, Not(HasSubstr("world")));
}

TEST_F(SimulateCommandTest, ASweepRunsInTheServersWorldToo) {
  const std::string directory = PathOf("server-world");
  const Ran ran = Simulated({"--profile", profile_, "--sweep", "--out", directory, "--loads", "1", "--requests", "50",
                             "--policy", "anybit", "--world", "server"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_THAT(ReadFile(directory + "/sweep.md"), HasSubstr("objective 15 ms, the server's world, 50 requests"));
}

TEST_F(SimulateCommandTest, ASweepWithoutPoliciesComparesAllPolicies) {
  const std::string directory = PathOf("all");
  const Ran ran = Simulated({"--profile", profile_, "--sweep", "--out", directory, "--loads", "1", "--requests", "20"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  for (const char* policy : {"slackfit", "fixed:hi", "fixed:lo"}) EXPECT_THAT(ran.out, HasSubstr(policy));
  EXPECT_FALSE(std::filesystem::exists(directory + "/sweep.svg")) << "one workload needs no mean over workloads";
}

TEST_F(SimulateCommandTest, SinglePointsMayBeWrongToo) {
  EXPECT_THAT(Simulated({"--profile", profile_, "--requests", "10", "--point_ratios", "1,0.5"}).out,
              HasSubstr("points x 1,0.5"));
  EXPECT_THAT(Simulated({"--profile", profile_, "--point_ratios", "1,fast"}).err,
              HasSubstr("--point_ratios takes numbers, not 'fast'"));
  EXPECT_THAT(Simulated({"--profile", profile_, "--point_ratios", "0"}).err,
              HasSubstr("profile ratio 0 is not above 0 and at most 1000"));
  EXPECT_THAT(Simulated({"--profile", profile_, "--point_ratios", "1,1,1,1,1,1,1,1,1"}).err,
              HasSubstr("9 point ratios for "));
}

TEST_F(SimulateCommandTest, PrintsAWrongFlagInOneLineAndExitsWithTwo) {
  const std::string bad_csv = WriteFile("bad.csv", "id,arrival_us,deadline_us,min_accuracy\n1,zero,2,0\n");
  const struct {
    std::vector<std::string> arguments;  // after --profile
    std::string message;
  } cases[] = {
      {{"--no_such"}, "unknown flag --no_such"},
      {{"file"}, "unexpected argument 'file'"},
      {{"--slots", "0"}, "--slots takes a whole number from 1 to 1024, not '0'"},
      {{"--noise", "1"}, "--noise takes a number from 0 to 0.999, not '1'"},
      {{"--load", "0"}, "--load takes a number from 1e-06 to 1000, not '0'"},
      {{"--objective", "40"}, "--objective takes a duration from 1us to 24h, such as 40ms, not '40'"},
      {{"--world", "real"}, "--world takes ideal or server, not 'real'"},
      {{"--bound=maybe"}, "--bound takes true or false, not 'maybe'"},
      {{"--seed", "-1"}, "--seed takes whole numbers from 0 on, not '-1'"},
      {{"--seed", "1,2"}, "one trace takes one --seed, not 2"},
      {{"--policy", "best"}, "there is no policy \"best\"; there are "},
      {{"--workload", "weekend"}, "weekend"},
      {{"--arrivals", arrivals_, "--workload", "step"}, "only one of --workload, --arrivals, "},
      {{"--arrivals", arrivals_, "--load", "2"}, "--arrivals already contains arrival times and deadlines"},
      {{"--arrivals", PathOf("missing.csv")}, "missing.csv"},
      {{"--arrivals", bad_csv}, "zero"},
      {{"--policy", "fixed:hi,fixed:lo", "--outcomes", "x"}, "--outcomes and --timeline are of one policy, not of 2"},
      {{"--loads", "1"}, "--loads is for --sweep"},
      {{"--out", "x"}, "--out is for --sweep"},
      {{"--sweep"}, "--sweep needs --out DIR"},
      {{"--sweep", "--out", PathOf("no"), "--loads", "1,0"}, "--loads takes numbers above 0 and at most 1000, not '0'"},
      {{"--sweep", "--out", PathOf("no"), "--json"}, "--sweep takes no --json"},
      {{"--sweep", "--out", PathOf("no"), "--workload", "step,weekend"}, "weekend"},
      {{"--sweep", "--out", PathOf("no"), "--policy", "best"}, "there is no policy \"best\""},
  };
  for (const auto& [arguments, message] : cases) {
    std::vector<std::string> all = {"--profile", profile_};
    all.insert(all.end(), arguments.begin(), arguments.end());
    const Ran ran = Simulated(all);
    EXPECT_EQ(ran.exit_code, 2) << message;
    EXPECT_THAT(ran.err, AllOf(StartsWith("anybit-simulate: "), HasSubstr(message)));
    EXPECT_EQ(std::count(ran.err.begin(), ran.err.end(), '\n'), 1) << ran.err;
    EXPECT_EQ(ran.out, "");
  }
}

TEST_F(SimulateCommandTest, RefusesAFileThatIsNoProfile) {
  EXPECT_EQ(Simulated({}).err, "anybit-simulate: --profile is missing\n");
  EXPECT_EQ(Simulated({}).exit_code, 2);
  const Ran missing = Simulated({"--profile", PathOf("missing.json")});
  EXPECT_EQ(missing.exit_code, 2);
  EXPECT_THAT(missing.err, HasSubstr("missing.json"));
  const Ran wrong = Simulated({"--profile", WriteFile("wrong.json", R"({"max_batch": 0, "points": []})")});
  EXPECT_EQ(wrong.exit_code, 2);
  EXPECT_THAT(wrong.err, HasSubstr("wrong.json: profile has 0 operating points, allowed are 1 to 64"));
}

TEST_F(SimulateCommandTest, ExitsWithOneWhereAResultCannotBeWritten) {
  const Ran ran = Simulated({"--profile", profile_, "--requests", "5", "--outcomes", PathOf("no/such/directory.csv")});
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_THAT(ran.err, HasSubstr("no/such/directory.csv': No such file or directory"));
  EXPECT_EQ(Simulated({"--profile", profile_, "--requests", "5", "--save_arrivals", PathOf("no/such/a.csv")}).exit_code,
            1);
}

TEST_F(SimulateCommandTest, ExplainsItselfWhenAsked) {
  const Ran ran = Simulated({"--help"});
  EXPECT_EQ(ran.exit_code, 0);
  EXPECT_THAT(ran.out, StartsWith("usage: anybit-simulate --profile=FILE.json"));
}

TEST_F(SimulateCommandTest, RunsADayOfAFleet) {
  // Two minutes of ten calls, then ten of one: a recording of half a load.
  std::string times;
  for (int i = 0; i < 20; ++i) times += std::to_string(6000 * i) + "\n";
  for (int i = 0; i < 10; ++i) times += std::to_string(120000 + 60000 * i) + "\n";
  const std::string recorded = WriteFile("times", times);
  const std::string figure = PathOf("fleet.svg");
  const Ran ran = Simulated({"--profile", profile_, "--fleet", "--arrival_times", recorded, "--load", "0.02",
                             "--policy", "anybit,fixed:hi", "--timeline", figure, "--json"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_THAT(ran.out, AllOf(StartsWith(R"({"policy":"anybit","hours":0.2,"replica_hours":0.4,)"),
                             HasSubstr(R"({"policy":"fixed:hi",)")));
  EXPECT_THAT(ReadFile(figure), HasSubstr("targets 0.02, 0.25, 0.7"));
}

TEST_F(SimulateCommandTest, RefusesAFleetWithWhatItDoesNotTake) {
  for (const std::vector<std::string>& wrong :
       std::vector<std::vector<std::string>>{{"--sweep", "--out", "x"},
                                             {"--workload", "poisson"},
                                             {"--world", "server"},
                                             {"--targets", "1,2"},
                                             {"--targets", "1,0,2"},
                                             {"--min_replicas", "3", "--max_replicas", "2"}}) {
    std::vector<std::string> arguments = {"--profile", profile_, "--fleet"};
    arguments.insert(arguments.end(), wrong.begin(), wrong.end());
    EXPECT_EQ(Simulated(arguments).exit_code, 2) << ::testing::PrintToString(wrong);
  }
}

}  // namespace
}  // namespace anybit::scheduler::sim
