#include "daemon/journal/message.h"

#include <map>
#include <memory>
#include <set>
#include <sstream>
#include <vector>

#include <gmock/gmock.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>

#include "core/files/files.h"

namespace berth::journal {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

/// What the catalogue says of a message.
struct Explained {
  std::map<std::string, std::string> headers;
  std::string text;
};

std::map<std::string, Explained> catalogue() {
  std::map<std::string, Explained> all;
  std::istringstream lines(files::read(BERTH_CATALOG, 1 << 20).value_or(""));
  Explained* now = nullptr;
  bool in_headers = false;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("-- ")) {
      EXPECT_FALSE(all.contains(line.substr(3))) << line << " is there twice";
      now = &all[line.substr(3)];
      in_headers = true;
    } else if (now != nullptr && line.empty()) {
      in_headers = false;
    } else if (now != nullptr && in_headers) {
      const auto colon = line.find(": ");
      EXPECT_NE(colon, std::string::npos) << line;
      now->headers[line.substr(0, colon)] = line.substr(colon + 2);
    } else if (now != nullptr) {
      now->text += line + "\n";
    }
  }
  return all;
}

TEST(JournalMessages, AreAllExplainedAndNothingElseIs) {
  const auto explained = catalogue();
  std::set<std::string_view> ids, names;
  for (const Known& known : messages()) {
    EXPECT_TRUE(ids.insert(known.id).second) << known.name << " has the id of another";
    EXPECT_TRUE(names.insert(known.name).second);
    EXPECT_EQ(known.id.size(), 32u);
    EXPECT_EQ(known.id.find_first_not_of("0123456789abcdef"), std::string_view::npos) << known.id;
    EXPECT_TRUE(explained.contains(std::string(known.id))) << known.name << " is not in the catalogue";
  }
  for (const auto& [id, text] : explained) EXPECT_TRUE(ids.contains(id)) << id << " is in the catalogue, and no message has it";
}

TEST(JournalMessages, AreExplainedByWhatTheyHave) {
  const std::set<std::string> fields{"BERTH_APP", "BERTH_RELEASE", "BERTH_INSTANCE", "BERTH_SUBJECT", "BERTH_REASON", "BERTH_DEPLOYMENT"};
  for (const auto& [id, explained] : catalogue()) {
    for (const char* header : {"Subject", "Defined-By", "Documentation"}) EXPECT_TRUE(explained.headers.contains(header)) << id << " has no " << header;
    EXPECT_GT(explained.text.size(), 40u) << id;
    std::string text = explained.headers.at("Subject") + explained.text;
    for (std::size_t at = text.find("@BERTH_"); at != std::string::npos; at = text.find("@BERTH_", at)) {
      const std::size_t end = text.find('@', at + 1);
      ASSERT_NE(end, std::string::npos) << id;
      EXPECT_TRUE(fields.contains(text.substr(at + 1, end - at - 1))) << id << ": " << text.substr(at, end - at + 1);
      at = end + 1;
    }
  }
}

/// Keeps what a line had when it was logged.
class Sink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  std::vector<std::vector<std::string>> lines;

 private:
  void sink_it_(const spdlog::details::log_msg& line) override {
    const auto fields = fields_of_line();
    lines.emplace_back(fields.begin(), fields.end());
    lines.back().emplace_back(line.payload.data(), line.payload.size());
  }
  void flush_() override {}
};

TEST(JournalMessages, HaveTheirFieldsAndNoOtherLineHasThem) {
  const auto before = spdlog::default_logger();
  const auto sink = std::make_shared<Sink>();
  spdlog::set_default_logger(std::make_shared<spdlog::logger>("test", sink));
  log(spdlog::level::warn, Message::deployment_failed, {.app = "web", .release = "v2", .reason = "not ready\nin time", .deployment = 7}, "web@v2: failed {}");
  spdlog::info("another");
  spdlog::set_default_logger(before);
  ASSERT_EQ(sink->lines.size(), 2u);
  const std::string_view id = messages()[static_cast<std::size_t>(Message::deployment_failed)].id;
  EXPECT_THAT(sink->lines[0], ElementsAre("MESSAGE_ID=" + std::string(id), "BERTH_MESSAGE=deployment_failed", "BERTH_APP=web", "BERTH_RELEASE=v2", "BERTH_REASON=not ready\nin time", "BERTH_DEPLOYMENT=7", "web@v2: failed {}"));
  EXPECT_THAT(sink->lines[1], ElementsAre("another"));
  EXPECT_THAT(fields_of_line(), IsEmpty());
}

}  // namespace
}  // namespace berth::journal
