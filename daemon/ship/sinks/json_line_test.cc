#include "daemon/ship/sinks/json_line.h"

#include <gtest/gtest.h>

#include "core/logs/level.h"
#include "daemon/ship/sinks/severity.h"

namespace berth::ship {
namespace {

std::optional<logs::Time> time_of(const std::string& value) {
  const auto line = read_json_line("{\"time\":" + value + "}");
  return line ? line->time : std::nullopt;
}

TEST(JsonLine, ReadsWhatLoggersAgreeOn) {
  const auto line = read_json_line(R"({"level":"error","time":"2026-11-24T09:00:01.5+01:00","msg":"no table","user":"x y","id":7,"tags":["a"],"ok":true,"q":""})");
  ASSERT_TRUE(line);
  EXPECT_EQ(line->severity, Severity::error);
  EXPECT_EQ(line->time, logs::parse_rfc3339("2026-11-24T08:00:01.5Z"));
  EXPECT_EQ(line->text, R"(no table user="x y" id=7 tags=["a"] ok=true q="")");
}

TEST(JsonLine, KnowsTheNamesThatPopularLoggersUse) {
  EXPECT_EQ(read_json_line(R"({"level":30,"time":1700000000123,"msg":"pino"})")->severity, Severity::info);
  EXPECT_EQ(read_json_line(R"({"level":50})")->severity, Severity::error);
  EXPECT_EQ(read_json_line(R"({"level":20})")->severity, Severity::debug);
  EXPECT_EQ(read_json_line(R"({"severity":"WARNING","message":"stackdriver"})")->text, "stackdriver");
  EXPECT_EQ(read_json_line(R"({"@t":"2026-11-24T09:00:01Z","@m":"serilog","@l":"Fatal"})")->severity, Severity::critical);
  EXPECT_EQ(read_json_line(R"({"log.level":"warn","@timestamp":"2026-11-24T09:00:01Z","message":"ecs"})")->severity, Severity::warning);
}

TEST(JsonLine, HasTheLevelThatALogOnTheNodeShows) {
  for (const char* text : {R"({"short_message":"gelf","level":3})", R"({"level":10})", R"({"level":30})", R"({"level":60})", R"({"level":9})", R"({"level":800})", R"({"level":"50"})",
                           R"({"log_level":"warn"})", R"({"severity_text":"ERROR"})", R"({"@level":"debug"})", R"({"@l":"Fatal"})", R"({"Level":"notice"})", R"({"LEVEL":"err"})",
                           R"({"SeverityText":"WARN"})", R"({"severity":"info","level":"error"})", R"({"level":"loud","severity":"error"})", R"({"context":{"level":"error"}})"}) {
    const auto shown = logs::level_of(text);
    const auto line = read_json_line(text);
    ASSERT_TRUE(line) << text;
    ASSERT_EQ(line->severity.has_value(), shown.has_value()) << text;
    if (!shown) continue;
    EXPECT_EQ(line->severity, severity_of("", *shown)) << text;
  }
}

TEST(JsonLine, KeepsTheFinerSeveritiesOfSyslog) {
  EXPECT_EQ(read_json_line(R"({"level":0})")->severity, Severity::emergency);
  EXPECT_EQ(read_json_line(R"({"level":1})")->severity, Severity::alert);
  EXPECT_EQ(read_json_line(R"({"level":"Alert"})")->severity, Severity::alert);
  EXPECT_EQ(read_json_line(R"({"log_level":"warn","msg":"m","a":1})")->text, "m a=1");
}

TEST(JsonLine, TellsTheUnitOfATimeByItsSize) {
  const auto expected = logs::parse_rfc3339("2023-11-14T22:13:20Z");
  for (const char* number : {"1700000000", "1700000000000", "1700000000000000", "1700000000000000000", "1700000000.0", "1.7e9"}) EXPECT_EQ(time_of(number), expected) << number;
  EXPECT_EQ(time_of("1700000000.5"), *expected + std::chrono::milliseconds(500));
  EXPECT_EQ(time_of("1700000000000000001"), *expected + std::chrono::nanoseconds(1));
  for (const char* none : {"0", "12", "-1700000000", "9e30", "\"yesterday\"", "null", "99999999999999999999"}) EXPECT_FALSE(time_of(none)) << none;
}

TEST(JsonLine, AFieldThatSaysNothingStaysInTheText) {
  const auto line = read_json_line(R"({"level":"strange","time":"soon","msg":"m"})");
  ASSERT_TRUE(line);
  EXPECT_FALSE(line->severity);
  EXPECT_FALSE(line->time);
  EXPECT_EQ(line->text, "m level=strange time=soon");
}

TEST(JsonLine, WhatIsNoObjectIsNone) {
  for (const char* text : {"", "{", "plain", "[1]", "{\"a\":1} tail", "{\"a\":1,\"a\":2}", "{a:1}"}) EXPECT_FALSE(read_json_line(text)) << text;
  EXPECT_TRUE(read_json_line("{} \r"));
  EXPECT_FALSE(read_json_line("{\"msg\":5}")->text);
  EXPECT_FALSE(read_json_line(std::string(100, '{') + std::string(100, '}')));
}

}  // namespace
}  // namespace berth::ship
