#include "daemon/ship/sinks/severity.h"

#include <utility>

#include <gtest/gtest.h>

namespace berth::ship {
namespace {

std::optional<Severity> named(std::string_view name) {
  const auto level = logs::level_named(name);
  return level ? std::optional(severity_of(name, *level)) : std::nullopt;
}

TEST(SeverityNames, AreReadAsLoggersWriteThem) {
  EXPECT_EQ(named("WARN"), Severity::warning);
  EXPECT_EQ(named("Information"), Severity::info);
  EXPECT_EQ(named("err"), Severity::error);
  EXPECT_EQ(named("fatal"), Severity::critical);
  EXPECT_EQ(named("TRACE"), Severity::debug);
  for (const char* name : {"", "errors", "warningly", "informationals", "0"}) EXPECT_FALSE(named(name)) << name;
  for (int i = 0; i < 8; ++i) EXPECT_EQ(named(to_string(static_cast<Severity>(i))), static_cast<Severity>(i));
}

TEST(SeverityGuess, LooksWhereLoggersPutIt) {
  const std::pair<const char*, Severity> cases[] = {
      {"ERROR no such table", Severity::error},
      {"2026-11-24 09:00:01,123 WARNING [main] c.e.App - slow", Severity::warning},
      {"2026-11-24T09:00:01.000Z\tINFO\tserver/main.go:12\tlistening", Severity::info},
      {"2026/11/24 09:00:01 [error] 123#123: *1 connect() failed", Severity::error},
      {"[Tue Nov 24 09:00:01 2026] [warn] [pid 7] slow", Severity::warning},
      {"time=2026-11-24T09:00:01Z level=debug msg=\"cache miss\"", Severity::debug},
      {"ts=1 severity=\"critical\" msg=x", Severity::critical},
      {"E0610 12:00:00.000000    1 main.cc:1] broken", Severity::error},
      {"error: it does not work", Severity::error},
      {"panic: runtime error: index out of range", Severity::critical},
      {"WARNING:root:it is late", Severity::warning},
      {"(DEBUG) x", Severity::debug},
  };
  for (const auto& [line, severity] : cases) {
    const GuessedSeverity guessed = guess_severity(line);
    EXPECT_EQ(guessed.severity, severity) << line;
    EXPECT_EQ(guessed.prefix, 0u) << line;
  }
}

TEST(SeverityGuess, SaysNothingOfOrdinaryText) {
  for (const char* line : {"", "GET /error HTTP/1.1 200", "the error was found", "no warning here", "info about it", "E123 not glog", "<8>x", "<>", "an INFOrmal note",
                           "one two three four five six seven eight ERROR", "http://example.org/ERROR: x"})
    EXPECT_FALSE(guess_severity(line).severity) << line;
}

TEST(SeverityGuess, KnowsThePrefixOfSystemdAndWhereItEnds) {
  const GuessedSeverity guessed = guess_severity("<3>disk failed");
  EXPECT_EQ(guessed.severity, Severity::error);
  EXPECT_EQ(guessed.prefix, 3u);
}

}  // namespace
}  // namespace berth::ship
