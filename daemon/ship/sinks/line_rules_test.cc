#include "daemon/ship/sinks/line_rules.h"

#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "daemon/ship/sinks/sinks_fixture.h"

namespace berth::ship {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const LineMaker::Clock::time_point kStart{1h};

/// Feeds a maker with lines, and has what comes out.
class Feeding {
 public:
  explicit Feeding(LineRules rules) : maker(std::make_shared<const LineRules>(std::move(rules))) {}

  void line(std::string text, logs::Stream stream = logs::Stream::out, LineMaker::Clock::duration at = 0s, logs::Time written = sample_time()) {
    logs::Record record{.time = written, .stream = stream, .text = std::move(text), .sequence = ++sequence, .pid = pid};
    maker.add(std::move(record), stream == logs::Stream::out ? out : err, kStart + at, entries);
  }
  std::vector<std::string> texts() const {
    std::vector<std::string> all;
    for (const Entry& entry : entries) all.push_back(entry.text);
    return all;
  }

  LineMaker maker;
  std::shared_ptr<Origin> out = sample_origin(), err = sample_origin();
  std::uint64_t sequence = 0;
  std::string pid = "100";
  std::vector<Entry> entries;
};

LineRules multiline() {
  LineRules rules;
  rules.begins = logs::Pattern::regex("^[^ \t]").value();
  return rules;
}

TEST(LineRules, EachLineIsAnEntryOfItsOwnUnlessToldOtherwise) {
  Feeding feeding({});
  feeding.line("one");
  feeding.line("  two");
  EXPECT_THAT(feeding.texts(), ElementsAre("one", "  two"));
  EXPECT_EQ(feeding.entries[1].sequence, 2u);
  EXPECT_EQ(feeding.entries[1].time, sample_time());
  EXPECT_EQ(feeding.entries[1].origin, feeding.out);
  EXPECT_FALSE(feeding.maker.held_behind());
}

TEST(LineRules, LinesThatGoOnJoinTheOneBefore) {
  Feeding feeding(multiline());
  for (const char* line : {"Exception: x", "  at a", "  at b", "next"}) feeding.line(line);
  EXPECT_THAT(feeding.texts(), ElementsAre("Exception: x\n  at a\n  at b"));
  EXPECT_EQ(feeding.entries[0].sequence, 3u);
  EXPECT_EQ(feeding.maker.held_behind(), 3u);
  feeding.maker.flush(LineMaker::Clock::time_point::max(), feeding.entries);
  EXPECT_THAT(feeding.texts(), ElementsAre(testing::_, "next"));
  EXPECT_FALSE(feeding.maker.held_behind());
}

TEST(LineRules, AnEntryWaitsForItsFurtherLinesOnlySoLong) {
  Feeding feeding(multiline());
  feeding.line("first", logs::Stream::out, 0s);
  feeding.maker.flush(kStart + 900ms, feeding.entries);
  EXPECT_THAT(feeding.texts(), IsEmpty());
  feeding.maker.flush(kStart + 1s, feeding.entries);
  EXPECT_THAT(feeding.texts(), ElementsAre("first"));
  feeding.line("  late", logs::Stream::out, 2s);
  feeding.line("second", logs::Stream::out, 2s);
  EXPECT_THAT(feeding.texts(), ElementsAre("first", "  late"));
}

TEST(LineRules, InABacklogLinesThatWereWrittenLaterAreNotJoined) {
  Feeding feeding(multiline());
  feeding.line("first");
  feeding.line("  at once", logs::Stream::out, 0s, sample_time() + 900ms);
  feeding.line("  much later", logs::Stream::out, 0s, sample_time() + 1s);
  EXPECT_THAT(feeding.texts(), ElementsAre("first\n  at once"));
}

TEST(LineRules, LinesThatWereWrittenAtOnceAreJoinedThoughTheyAreReadLate) {
  Feeding feeding(multiline());
  feeding.line("first");
  feeding.line("other", logs::Stream::err, 0s, sample_time() + 500ms);
  feeding.maker.flush(kStart + 1h, feeding.entries, false);
  feeding.line("  at once", logs::Stream::out, 2h, sample_time() + 900ms);
  feeding.line("later", logs::Stream::err, 2h, sample_time() + 1s);
  feeding.maker.flush(kStart + 2h, feeding.entries, false);
  EXPECT_THAT(feeding.texts(), ElementsAre("other", "first\n  at once"));
}

TEST(LineRules, AnotherRunGoesOnWithNoEntryOfTheOneBefore) {
  Feeding feeding(multiline());
  feeding.line("first");
  feeding.pid = "200";
  feeding.line("  of another run");
  EXPECT_THAT(feeding.texts(), ElementsAre("first"));
}

TEST(LineRules, AnEntryIsNoLongerThanItMayBe) {
  LineRules rules = multiline();
  rules.most_joined = 10;
  Feeding feeding(std::move(rules));
  for (const char* line : {"12345", " 789", " more"}) feeding.line(line);
  EXPECT_THAT(feeding.texts(), ElementsAre("12345\n 789"));
}

TEST(LineRules, StreamsAreJoinedEachForItselfAndACursorStaysBehindBoth) {
  Feeding feeding(multiline());
  feeding.line("out one");
  feeding.line("err one", logs::Stream::err);
  feeding.line("  out goes on");
  feeding.line("err two", logs::Stream::err);
  EXPECT_THAT(feeding.texts(), ElementsAre("err one"));
  EXPECT_EQ(feeding.maker.held_behind(), 0u);  // the first line is not out yet
  feeding.line("out two");
  EXPECT_THAT(feeding.texts(), ElementsAre("err one", "out one\n  out goes on"));
  EXPECT_EQ(feeding.maker.held_behind(), 3u);
}

TEST(LineRules, ANewReleaseBeginsANewEntry) {
  Feeding feeding(multiline());
  feeding.line("of v42");
  feeding.out = sample_origin();
  feeding.out->release = "v43";
  feeding.line("  of v43");
  EXPECT_THAT(feeding.texts(), ElementsAre("of v42"));
}

TEST(LineRules, JsonGivesLevelAndTimeAndByChoiceTheText) {
  const std::string line = R"({"level":"warn","time":"2026-11-24T09:00:00Z","msg":"m","a":1})";
  const std::pair<JsonLines, std::string> cases[] = {{JsonLines::fields, line}, {JsonLines::message, "m a=1"}};
  for (const auto& [json, text] : cases) {
    LineRules rules;
    rules.json = json;
    Feeding feeding(std::move(rules));
    feeding.line(line);
    EXPECT_THAT(feeding.texts(), ElementsAre(text));
    EXPECT_EQ(feeding.entries[0].severity, Severity::warning);
    EXPECT_EQ(feeding.entries[0].time, sample_time("2026-11-24T09:00:00Z"));
  }
  LineRules off;
  off.json = JsonLines::off;
  Feeding feeding(std::move(off));
  feeding.line(line);
  EXPECT_EQ(feeding.entries[0].severity, Severity::info);
  EXPECT_EQ(feeding.entries[0].time, sample_time());
}

TEST(LineRules, ATimeThatIsFarFromWhenTheLineWasWrittenIsNotBelieved) {
  Feeding feeding({});
  feeding.line(R"({"time":"1970-01-02T00:00:00Z"})");
  EXPECT_EQ(feeding.entries[0].time, sample_time());
  feeding.line(R"({"time":"2026-11-24T04:00:00Z"})");
  EXPECT_EQ(feeding.entries[1].time, sample_time("2026-11-24T04:00:00Z"));
  EXPECT_EQ(feeding.entries[1].since(), sample_time()) << "by which it is seen how far a sink is behind";
}

TEST(LineRules, ALevelIsGuessedAndThePrefixOfSystemdIsNoText) {
  Feeding feeding({});
  feeding.line("ERROR it broke");
  feeding.line("<4>careful");
  EXPECT_EQ(feeding.entries[0].severity, Severity::error);
  EXPECT_EQ(feeding.entries[1].severity, Severity::warning);
  EXPECT_THAT(feeding.texts(), ElementsAre("ERROR it broke", "careful"));
}

TEST(LineRules, SecretsAndPatternsAreTakenOutBeforeBytesAreEscaped) {
  LineRules rules;
  rules.strip_ansi = true;
  rules.redactor = PatternRedactor::make({"card=([0-9]+)"}).value();
  Feeding feeding(std::move(rules));
  auto known = std::make_shared<secrets::KnownSecrets>();
  known->add("se\xff" "cret");
  feeding.maker.know(known);
  feeding.line("\x1b[1mcard=\x1b[0m123 se\xff" "cret \xfe");
  EXPECT_THAT(feeding.texts(), ElementsAre("card=[redacted] [redacted] \\xFE"));
}

TEST(LineRules, WhatIsTooMuchIsDroppedCountedAndToldAsOneEntry) {
  LineRules rules;
  rules.limit = {.rate = spec::parse_rate("10/s").value(), .burst = 3};
  Feeding feeding(std::move(rules));
  for (int i = 0; i < 5; ++i) feeding.line("n");
  EXPECT_EQ(feeding.entries.size(), 3u);
  EXPECT_EQ(feeding.maker.dropped(), 2u);
  EXPECT_EQ(feeding.maker.held_behind(), 3u);
  feeding.line("later", logs::Stream::out, 0s, sample_time() + 100ms);  // a tenth of a second gives one more
  ASSERT_EQ(feeding.entries.size(), 5u);
  const Entry& told = feeding.entries[3];
  EXPECT_EQ(told.severity, Severity::warning);
  EXPECT_EQ(told.sequence, 5u);
  EXPECT_EQ(told.text, "berth: the rate limit of 10/s (burst 3) dropped 2 entries of web/worker.2 from 2026-11-24T09:00:01.123Z to 2026-11-24T09:00:01.123Z, sequence 4 to 5");
  EXPECT_EQ(feeding.entries[4].text, "later");
  EXPECT_FALSE(feeding.maker.held_behind());
}

TEST(LineRules, DroppedEntriesAreToldAlsoWhenNothingFollows) {
  LineRules rules;
  rules.limit = {.rate = spec::parse_rate("1/m").value(), .burst = 1};
  Feeding feeding(std::move(rules));
  feeding.line("one");
  feeding.line("two");
  feeding.maker.flush(kStart + 500ms, feeding.entries);
  EXPECT_EQ(feeding.entries.size(), 1u);
  feeding.maker.flush(kStart + 1s, feeding.entries);
  ASSERT_EQ(feeding.entries.size(), 2u);
  EXPECT_THAT(feeding.entries[1].text, HasSubstr("dropped 1 entry"));
}

TEST(LineRules, ABacklogIsNoBurst) {
  LineRules rules;
  rules.limit = {.rate = spec::parse_rate("10/s").value(), .burst = 2};
  Feeding feeding(std::move(rules));
  for (int i = 0; i < 1000; ++i) feeding.line("n", logs::Stream::out, 0s, sample_time() + i * 100ms);  // read at once, written one by one
  EXPECT_EQ(feeding.maker.dropped(), 0u);
}

TEST(LineRules, AClockThatIsSetBackStopsNothingForLong) {
  LineRules rules;
  rules.limit = {.rate = spec::parse_rate("10/s").value(), .burst = 1};
  Feeding feeding(std::move(rules));
  feeding.line("before");
  feeding.line("after", logs::Stream::out, 0s, sample_time() - 1h);
  feeding.line("after", logs::Stream::out, 0s, sample_time() - 1h + 1s);
  EXPECT_EQ(feeding.maker.dropped(), 1u);
}

LineRules read_rules(const std::string& text, std::string* complaints = nullptr) {
  auto document = config::Document::parse("[lines]\n" + text, "t");
  LineRules rules;
  {
    config::Section section = document->section("lines");
    rules = parse_line_rules(section);
  }
  const auto done = document->done();
  if (complaints != nullptr) *complaints = done ? "" : done.error().message;
  else EXPECT_TRUE(done) << done.error().message;
  return rules;
}

TEST(LineRulesToml, RulesThatDifferHaveOtherMarks) {
  const auto mark = [](const char* text) { return read_rules(text).mark; };
  EXPECT_EQ(mark(""), mark(""));
  EXPECT_EQ(mark(""), mark("json = \"fields\"\n"));
  EXPECT_EQ(mark("multiline_start = \"^a\"\n"), mark("multiline_start = \"^a\"\nmultiline_wait = \"1s\"\n"));
  std::set<std::uint64_t> marks;
  const std::vector<const char*> all = {"", "multiline_start = \"^a\"\n", "multiline_start = \"^b\"\n", "multiline_start = \"^a\"\nmultiline_wait = \"2s\"\n",
                                        "multiline_start = \"^a\"\nmultiline_bytes = \"2KiB\"\n", "json = \"off\"\n", "ansi = \"strip\"\n", "rate = \"5/s\"\n",
                                        "rate = \"5/m\"\n", "rate = \"5/s\"\nburst = 7\n", "redact = [\"a\"]\n", "redact = [\"a\", \"b\"]\n"};
  for (const char* text : all) marks.insert(mark(text));
  EXPECT_EQ(marks.size(), all.size());
}

TEST(LineRulesToml, ReadsEveryKey) {
  const LineRules rules = read_rules(
      "multiline_start = \"^[0-9]\"\nmultiline_wait = \"2s\"\nmultiline_bytes = \"64KiB\"\njson = \"message\"\nansi = \"strip\"\nrate = \"200/s\"\nburst = 500\n"
      "redact = [\"token=([a-z]+)\"]\n");
  EXPECT_TRUE(rules.begins && rules.begins->found_in("2026") && !rules.begins->found_in("x"));
  EXPECT_EQ(rules.wait, 2s);
  EXPECT_EQ(rules.most_joined, 64u << 10);
  EXPECT_EQ(rules.json, JsonLines::message);
  EXPECT_TRUE(rules.strip_ansi);
  EXPECT_EQ(rules.limit.burst, 500);
  std::string text = "token=abc";
  rules.redactor.redact(text);
  EXPECT_EQ(text, "token=[redacted]");
}

TEST(LineRulesToml, SaysWhatIsWrong) {
  const std::pair<const char*, const char*> cases[] = {
      {"multiline_start = \"(\"", "t:2:19: multiline_start: regular expression '('"},
      {"multiline_bytes = \"2MiB\"\nmultiline_start = \"a\"", "is not from '1KiB' to '1MiB'"},
      {"multiline_wait = \"1s\"", "multiline_wait is of a 'multiline_start', which is missing"},
      {"json = \"yes\"", "json: 'yes': what is made of lines of JSON"},
      {"ansi = \"no\"", "\"keep\" or \"strip\""},
      {"rate = \"0/s\"", "lets nothing pass"},
      {"burst = 3", "burst is of a 'rate'"},
      {"redact = [\"x*\"]", "redact: the regular expression 'x*' matches the empty text"},
      {"redcat = [\"x\"]", "did you mean 'redact'?"},
  };
  for (const auto& [text, complaint] : cases) {
    std::string complaints;
    read_rules(text, &complaints);
    EXPECT_THAT(complaints, HasSubstr(complaint)) << text;
  }
}

}  // namespace
}  // namespace berth::ship
