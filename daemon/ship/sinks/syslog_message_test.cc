#include "daemon/ship/sinks/syslog_message.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "daemon/ship/sinks/sinks_fixture.h"

namespace berth::ship {
namespace {

using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr const char* kSampleHead =
    "<30>1 2026-11-24T09:00:01.123456Z edge-1 web web/worker.2 stdout [berth@32473 app=\"web\" environment=\"qa\" release=\"v42\" process=\"worker\" "
    "instance=\"web/worker.2\" deployment=\"17\" node=\"edge-1\" stream=\"stdout\" seq=\"7\"";

/// Each message of an entry, without its length, which is checked.
std::vector<std::string> messages_of(const Entry& entry, SyslogFormat format = {}) {
  SyslogEncoder encoder(format);
  SyslogMessages messages;
  encoder.encode(entry, messages);
  std::vector<std::string> each;
  std::size_t begin = 0;
  for (const std::size_t end : messages.ends) {
    std::string message = messages.bytes.substr(begin, end - begin);
    if (format.counted) {
      const auto space = message.find(' ');
      EXPECT_EQ(message.substr(0, space), std::to_string(message.size() - space - 1));
      message.erase(0, space + 1);
    }
    each.push_back(message);
    begin = end;
  }
  EXPECT_EQ(begin, messages.bytes.size());
  return each;
}

TEST(SyslogMessage, HasEverythingThatIsKnown) {
  EXPECT_THAT(messages_of(sample_entry(7, "hello [world] \"x\"")), testing::ElementsAre(std::string(kSampleHead) + "] hello [world] \"x\""));
  EXPECT_THAT(messages_of(sample_entry(7, "")), testing::ElementsAre(std::string(kSampleHead) + "]"));
  EXPECT_THAT(messages_of(sample_entry(7, "two\nlines")), testing::ElementsAre(EndsWith("] two\nlines")));
}

TEST(SyslogMessage, ThePriorityIsOfFacilityAndSeverity) {
  Entry entry = sample_entry(1, "x");
  const std::pair<Severity, const char*> cases[] = {{Severity::emergency, "<128>1 "}, {Severity::error, "<131>1 "}, {Severity::debug, "<135>1 "}};
  for (const auto& [severity, priority] : cases) {
    entry.severity = severity;
    EXPECT_THAT(messages_of(entry, {.facility = syslog_facility("local0")}), testing::ElementsAre(StartsWith(priority)));
  }
  EXPECT_EQ(syslog_facility("kern"), 0);
  EXPECT_EQ(syslog_facility("local7"), 23);
  EXPECT_EQ(syslog_facility("nothing"), -1);
}

TEST(SyslogMessage, ValuesAreEscapedAndNamesKeepToTheirCharacters) {
  auto origin = sample_origin();
  origin->labels = {{"rack", "r\"7\\]"}, {"a_name_that_is_longer_than_thirty_two_bytes", "x"}, {"empty", ""}};
  origin->node = "node with space \xc3\xbc";
  origin->app = "";
  const auto messages = messages_of(sample_entry(1, "x", origin));
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_THAT(messages[0], AllOf(HasSubstr(R"( rack="r\"7\\\]" )"), HasSubstr(" a_name_that_is_longer_than_thirt=\"x\" "), Not(HasSubstr("empty")),
                                 HasSubstr("Z node_with_space___ berthd web/worker.2 stdout ["), HasSubstr("node=\"node with space \xc3\xbc\""), Not(HasSubstr(" app="))));
}

TEST(SyslogMessage, AnEventOfTheNodeHasNoInstance) {
  const auto origin = std::make_shared<Origin>(Origin{.node = "edge-1", .stream = "events"});
  EXPECT_THAT(messages_of(sample_entry(3, "deployed", origin)),
              testing::ElementsAre("<30>1 2026-11-24T09:00:01.123456Z edge-1 berthd - events [berth@32473 node=\"edge-1\" stream=\"events\" seq=\"3\"] deployed"));
}

TEST(SyslogMessage, ATextThatIsTooLongBecomesSeveralMessagesAndNoneIsTooLong) {
  std::string text;
  for (int i = 0; text.size() < 20'000; ++i) text += "\xf0\x9f\x98\x80" + std::to_string(i);
  const auto messages = messages_of(sample_entry(7, text), {.most = 2048});
  ASSERT_GT(messages.size(), 10u);
  std::string joined;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    EXPECT_LE(messages[i].size(), 2048u);
    const std::string head = std::string(kSampleHead) + " part=\"" + std::to_string(i + 1) + "/" + std::to_string(messages.size()) + "\"] ";
    ASSERT_THAT(messages[i], StartsWith(head));
    joined += messages[i].substr(head.size());
  }
  EXPECT_EQ(joined, text);
}

TEST(SyslogMessage, ADatagramIsCutBetweenCharactersAndSaysSo) {
  std::string text;
  while (text.size() < 3000) text += "\xc3\xbc";
  const auto messages = messages_of(sample_entry(7, text), {.most = 1024, .split = false, .counted = false});
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_LE(messages[0].size(), 1024u);
  EXPECT_THAT(messages[0], AllOf(HasSubstr(" seq=\"7\" cut=\"3000\"] \xc3\xbc"), EndsWith("\xc3\xbc")));
}

TEST(SyslogMessage, LabelsThatLeaveNoRoomForTheTextAreLeftOut) {
  auto origin = sample_origin();
  for (int i = 0; i < 20; ++i) origin->labels.emplace_back("label" + std::to_string(i), std::string(200, 'v'));
  const auto messages = messages_of(sample_entry(7, "the text", origin), {.most = 2048});
  EXPECT_THAT(messages, testing::ElementsAre(std::string(kSampleHead) + "] the text"));
}

TEST(SyslogMessage, TimesOfOneSecondAndTheNextAreRight) {
  SyslogEncoder encoder({.counted = false});
  for (const char* time : {"2026-11-24T09:00:01.999999Z", "2026-11-24T09:00:01.000001Z", "2026-11-24T09:00:02.000000Z", "1999-12-31T23:59:59.500000Z"}) {
    Entry entry = sample_entry(1, "x");
    entry.time = sample_time(time);
    SyslogMessages messages;
    encoder.encode(entry, messages);
    EXPECT_THAT(messages.bytes, StartsWith(std::string("<30>1 ") + time + " "));
  }
}

}  // namespace
}  // namespace berth::ship
