#include <gmock/gmock.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "core/spec/spec_fixture.h"

namespace berth::spec {
namespace {

using testing::HasSubstr;

/// kLeast with a job and further lines of it.
std::string with_job(const std::string& lines) {
  return std::string(kLeast) + "[process.report]\ncommand = [\"bin/report\"]\ntype = \"job\"\n" + lines + "\n";
}

std::string job_refusal(const std::string& text) {
  const auto spec = parse_toml(text, "berth.toml");
  return spec ? "nothing wrong" : spec.error().message;
}

TEST(JobWords, AreReadAndWrittenAsTheyWereMeant) {
  const AppSpec spec = parsed(with_job("run = \"hand\"\nrestart = \"on-failure\"\nretries = 2\ntimeout = \"90s\"\n"));
  const Process& report = spec.processes.at("report");
  ASSERT_TRUE(report.job);
  EXPECT_EQ(*report.job, (Job{.run = Job::When::hand, .retries = 2, .timeout = std::chrono::seconds(90)}));
  EXPECT_EQ(report.restart, Restart::on_failure);
  EXPECT_EQ(report.instances, 0);
  EXPECT_FALSE(spec.processes.at("web").job);
  const auto again = from_json(to_json(spec));
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(*again, spec);
}

TEST(JobWords, WithoutFurtherOnesARunIsMadeOnceAtEachDeployment) {
  const Process report = parsed(with_job("")).processes.at("report");
  EXPECT_EQ(*report.job, (Job{.run = Job::When::deployment, .retries = 3, .timeout = std::chrono::hours(1)}));
  EXPECT_EQ(report.restart, Restart::never);
}

TEST(JobWords, OfAServiceAreNeitherWrittenNorRead) {
  const std::string json = boost::json::serialize(to_json(parsed(kLeast)));
  for (const char* word : {"\"type\"", "\"retries\"", "\"run\"", "\"timeout\""}) EXPECT_EQ(json.find(word), std::string::npos) << word;
  auto service = to_json(parsed(kLeast));
  service.as_object()["process"].as_object()["web"].as_object()["type"] = "service";
  EXPECT_FALSE(from_json(service));
  for (const char* key : {"run = \"hand\"", "retries = 1", "timeout = \"1s\""})
    EXPECT_THAT(job_refusal(std::string(kLeast) + key + "\n"), HasSubstr("goes with type = \"job\" only")) << key;
}

TEST(JobWords, ThatMakeNoSenseAreRefusedWithWhatToDo) {
  struct Row {
    const char *lines, *says;
  };
  for (const auto& [lines, says] : {Row{"port = 8081", "'port' in [process.report] makes no sense with type = \"job\""},
                                    Row{"socket = 8081", "'socket' in [process.report] makes no sense"},
                                    Row{"ports = { admin = { private = true } }", "'ports' in [process.report] makes no sense"},
                                    Row{"readiness = { exec = [\"bin/is-up\"] }", "'readiness' in [process.report] makes no sense"},
                                    Row{"liveness = { exec = [\"bin/is-up\"] }", "'timeout' ends one that hangs"},
                                    Row{"restart = \"always\"", "\"on-failure\" tries it again"},
                                    Row{"after = [\"web\"]", "it runs when the release serves"},
                                    Row{"instances = 2", "one runs at a time"},
                                    Row{"retries = 1001", "retries"},
                                    Row{"retries = -1", "retries"},
                                    Row{"timeout = \"0s\"", "must be 1ms or more"},
                                    Row{"timeout = \"25h\"", "timeout"},
                                    Row{"run = \"nightly\"", "hand"}})
    EXPECT_THAT(job_refusal(with_job(lines)), HasSubstr(says)) << lines;
  EXPECT_THAT(job_refusal(replaced(with_job(""), "\"job\"", "\"batch\"")), HasSubstr("job"));
  EXPECT_THAT(job_refusal(replaced(with_job(""), "[process.report]", "after = [\"report\"]\n[process.report]")), HasSubstr("names 'report', which is a job"));
}

TEST(JobWords, OfAManifestAreHeldToTheSameRules) {
  const auto changed = [](const char* member, boost::json::value value) {
    auto json = to_json(parsed(with_job("")));
    json.as_object()["process"].as_object()["report"].as_object()[member] = std::move(value);
    return from_json(json);
  };
  EXPECT_TRUE(changed("retries", 5));
  for (const auto& [member, value] : {std::pair<const char*, boost::json::value>("retries", 1001), {"timeout", "3600s"}, {"run", "never"}, {"instances", 1},
                                      {"restart", "always"}, {"port", 8080}})
    EXPECT_FALSE(changed(member, value)) << member;
}

}  // namespace
}  // namespace berth::spec
