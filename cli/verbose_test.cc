#include <sstream>

#include <gmock/gmock.h>

#include "cli/fake_daemon.h"
#include "cli/json_view.h"
#include "cli/run_berth.h"
#include "core/json/json.h"

namespace berth::cli {
namespace {

using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

class Verbose : public testing::Test {
 protected:
  Ran berth(std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--socket", daemon.socket()});
    return run_berth(std::move(arguments));
  }
  FakeDaemon daemon;
};

TEST_F(Verbose, TellsWhatWasAskedAndHowLongItTookBesideTheAnswer) {
  daemon.on("GET /v1/status", R"({"node": "n", "apps": []})");
  const Ran plain = berth({"status"}), ran = berth({"status", "-v"});
  EXPECT_EQ(ran.exit, 0);
  EXPECT_EQ(ran.out, plain.out);
  EXPECT_EQ(plain.err, "");
  EXPECT_THAT(ran.err, ContainsRegex("# GET " + daemon.socket() + " /v1/status: 200, [0-9]+ B after [0-9.]+ms\n"));
  EXPECT_THAT(ran.err, ContainsRegex("# ended with 0 after [0-9.]+ms\n"));
}

TEST_F(Verbose, ShowsTheWholeProblemThatBerthdAnswered) {
  daemon.on("POST /v1/apps/web/stop", R"({"code": "conflict", "exit": 8, "status": 409, "detail": "web is held", "deployment": 7})", 409);
  const Ran plain = berth({"stop", "web", "--reason", "x"}), ran = berth({"-v", "stop", "web", "--reason", "x"});
  EXPECT_EQ(plain.exit, 8);
  EXPECT_EQ(plain.err, "berth: web is held\n") << "one line without it";
  EXPECT_EQ(ran.exit, 8);
  EXPECT_THAT(ran.err, AllOf(HasSubstr("/v1/apps/web/stop with {\"reason\":\"x\"}: 409"), HasSubstr("# its answer: {\"code\": \"conflict\""), HasSubstr("\"deployment\": 7"),
                             HasSubstr("\nberth: web is held\n"), HasSubstr("# ended with 8 (conflict) after")));
}

TEST_F(Verbose, SaysWhatTheSystemSaidWhereNobodyAnswers) {
  const Ran plain = run_berth({"status", "--socket", "/nonexistent/api.sock"}), ran = run_berth({"status", "-v", "--socket", "/nonexistent/api.sock"});
  EXPECT_THAT(plain.err, Not(HasSubstr("not_found")));
  EXPECT_THAT(ran.err, AllOf(HasSubstr("# the socket: there is no socket /nonexistent/api.sock (not_found)"), HasSubstr("no answer after"), HasSubstr("# ended with 6 (unreachable)")));
}

TEST_F(Verbose, IsDocumentsBesideDocuments) {
  daemon.on("GET /v1/apps/web", R"({"code": "not_found", "exit": 3, "status": 404, "detail": "no app"})", 404);
  std::istringstream lines(berth({"status", "web", "--json", "-v"}).err);
  int told = 0;
  for (std::string line; std::getline(lines, line);) {
    const auto parsed = json::parse(line);
    ASSERT_TRUE(parsed) << line;
    if (!text_of(*parsed, "verbose").empty()) ++told;
  }
  EXPECT_EQ(told, 3);
}

TEST_F(Verbose, NoColorIsForEveryVerb) {
  daemon.on("GET /v1/status", R"({"apps": []})");
  EXPECT_EQ(berth({"status", "--no-color"}).exit, 0);
  EXPECT_EQ(berth({"--no-color", "apps"}).exit, 0);
}

}  // namespace
}  // namespace berth::cli
