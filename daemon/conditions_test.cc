#include "daemon/conditions.h"

#include <memory>
#include <mutex>

#include <gmock/gmock.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>

namespace berth {
namespace {

using journal::Message;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const std::chrono::system_clock::time_point kNow = std::chrono::sys_days(std::chrono::year(2026) / 11 / 28);

metrics::NodeStatus node_that_is_well() {
  metrics::NodeStatus node;
  node.paths = {.state = "/var/lib/berth", .logs = "/var/log/berth", .run = "/run/berth"};
  node.disk_free = 1'000'000'000;
  node.disk_reserve = 256'000'000;
  return node;
}

std::vector<std::pair<Message, std::string>> seen(const metrics::NodeStatus& node) {
  std::vector<std::pair<Message, std::string>> all;
  for (const Condition& one : conditions_of(node, kNow)) all.emplace_back(one.message, one.subject);
  return all;
}

void expire(metrics::NodeStatus& node, const std::string& role, std::chrono::seconds left) {
  node.trust.roles.push_back({.role = role, .version = 7, .expires = std::chrono::time_point_cast<trust::WallTime::duration>(kNow + left)});
}

TEST(Conditions, ThereAreNoneWhereAllIsWell) {
  metrics::NodeStatus node = node_that_is_well();
  node.logs_disk = metrics::NodeStatus::Disk{.free = 10, .reserve = 10};
  expire(node, "timestamp", std::chrono::hours(25));
  expire(node, "root", std::chrono::hours(15 * 24));
  EXPECT_THAT(seen(node), IsEmpty());
}

TEST(Conditions, ALogOfEventsThatSomebodyElseWritesIsOne) {
  metrics::NodeStatus node = node_that_is_well();
  node.events_intrusion = "somebody wrote there";
  EXPECT_THAT(seen(node), ElementsAre(std::pair(Message::events_changed, "/var/lib/berth/events.log")));
}

TEST(Conditions, ADiskWithLessThanTheReserveIsOne) {
  metrics::NodeStatus node = node_that_is_well();
  node.disk_free = 255'999'999;
  node.logs_disk = metrics::NodeStatus::Disk{.free = 9, .reserve = 10};
  EXPECT_THAT(seen(node), ElementsAre(std::pair(Message::disk_low, "/var/lib/berth"), std::pair(Message::disk_low, "/var/log/berth")));
  EXPECT_EQ(conditions_of(node, kNow)[0].text, "/var/lib/berth has 255 MB left, less than the 256 MB that are kept free");
}

TEST(Conditions, MetadataExpireEarlierWhereTheyAreSignedByHand) {
  metrics::NodeStatus node = node_that_is_well();
  expire(node, "timestamp", std::chrono::hours(24));
  expire(node, "snapshot", std::chrono::hours(25));
  expire(node, "root", std::chrono::hours(14 * 24));
  expire(node, "web", std::chrono::seconds(0));
  EXPECT_THAT(seen(node), ElementsAre(std::pair(Message::metadata_expires, "timestamp"), std::pair(Message::metadata_expires, "root"), std::pair(Message::metadata_expired, "web")));
  EXPECT_EQ(conditions_of(node, kNow)[2].text, "web 7 of the repository expired at 2026-11-28T00:00:00Z");
}

class Lines final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  std::vector<std::string> taken;

 private:
  void sink_it_(const spdlog::details::log_msg& line) override { taken.emplace_back(line.payload.data(), line.payload.size()); }
  void flush_() override {}
};

TEST(Conditions, AreSaidOnceAndThatTheyAreOver) {
  const auto before = spdlog::default_logger();
  const auto lines = std::make_shared<Lines>();
  spdlog::set_default_logger(std::make_shared<spdlog::logger>("test", lines));
  const std::vector<Condition> full{{Message::disk_low, "/state", "it is full"}}, both{full[0], {Message::metadata_expired, "root", "it expired"}};
  const std::vector<Condition> none;
  ConditionLog log;
  for (const auto* now : {&full, &full, &none, &none, &none, &none, &full, &both}) log.look(*now);
  EXPECT_THAT(lines->taken, ElementsAre("it is full", "it expired"));
  for (int i = 0; i < 6; ++i) log.look({both[1]});
  EXPECT_THAT(lines->taken, ElementsAre("it is full", "it expired", "no longer: it is full"));
  log.look(full);
  EXPECT_THAT(lines->taken.back(), HasSubstr("it is full"));
  EXPECT_EQ(lines->taken.size(), 4u);
  spdlog::set_default_logger(before);
}

}  // namespace
}  // namespace berth
