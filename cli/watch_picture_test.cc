#include "cli/watch_picture.h"

#include <gmock/gmock.h>

#include "core/json/json.h"
#include "core/logs/record_time.h"

namespace berth::cli {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

WallTime moment(const char* text) { return std::chrono::time_point_cast<WallTime::duration>(*logs::parse_rfc3339(text)); }

Watched node(const std::string& name, const std::string& health) {
  const std::string answer = R"({"node": ")" + name + R"(", "environment": "qa", "version": "1", "ready": true, "limits_enforced": true,
    "apps": [{"app": "web", "active": "v1", "health": ")" + health + R"("}]})";
  return {.name = name, .answer = json::parse(answer).value(), .answered_at = moment("2026-11-24T09:00:00Z"), .away = {}};
}

std::string picture(const std::vector<Watched>& nodes) {
  return watch_picture(nodes, {.app = {}, .head = "berth status"}, {.now = moment("2026-11-24T09:00:05Z"), .colour = false, .width = 100});
}

TEST(WatchPicture, OfOneNodeIsItsStatusBelowTheTime) {
  const std::string text = picture({node("edge-1", "healthy")});
  EXPECT_TRUE(text.starts_with("09:00:05Z  berth status\n\nedge-1 (qa)")) << text;
  EXPECT_THAT(text, Not(HasSubstr("--node")));
}

TEST(WatchPicture, OfSeveralNodesBeginsWithThoseInTrouble) {
  Watched away = node("edge-4", "healthy");
  away.away = Error{Errc::unreachable, "nothing listens\x1b[2J"};
  away.away_since = moment("2026-11-24T09:00:02Z");
  const std::string text = picture({node("edge-1", "healthy"), {.name = "edge-2", .answer = {}, .away = {}}, node("edge-3", "degraded"), away});
  std::vector<std::size_t> places;
  for (const char* name : {"--node edge-4", "--node edge-3", "--node edge-1", "--node edge-2"}) places.push_back(text.find(name));
  EXPECT_TRUE(std::ranges::is_sorted(places)) << text;
  EXPECT_NE(places.back(), std::string::npos);
  EXPECT_THAT(text, HasSubstr("No answer since 09:00:02Z (3s): nothing listens\\x1b[2J; what follows was so at 09:00:00Z\n"));
  EXPECT_THAT(text, HasSubstr("--node edge-2\nasking …\n"));
}

TEST(WatchPicture, ANodeThatIsNotReadyIsNotSaidToHaveNoApps) {
  const std::string well = R"({"node": "n", "environment": "qa", "version": "1", "ready": true, "limits_enforced": true, "apps": [], "follows": [{"app": "web", "channel": "stable"}]})";
  std::string not_ready = well;
  not_ready.replace(not_ready.find("true"), 4, "false");
  const auto text = [](const std::string& answer) { return answer_text(json::parse(answer).value(), "", false, {.now = moment("2026-11-24T09:00:05Z")}); };
  EXPECT_THAT(text(well), AllOf(HasSubstr("web, not on this node yet"), HasSubstr("No apps yet"), Not(HasSubstr("not ready"))));
  EXPECT_THAT(text(not_ready), AllOf(HasSubstr("berthd is not ready yet: it takes over or starts what should run\n"), Not(HasSubstr("No apps yet")), Not(HasSubstr("web"))));
}

TEST(WatchPicture, WhoIsLimitedToOtherAppsIsNotToldThatThereAreNone) {
  const auto text = [](const std::string& limits) {
    const std::string answer = R"({"node": "n", "environment": "qa", "version": "1", "ready": true, "limits_enforced": true, "apps": [], "limited_to": )" + limits + "}";
    return answer_text(json::parse(answer).value(), "", false, {.now = moment("2026-11-24T09:00:05Z")});
  };
  EXPECT_THAT(text(R"(["web", "api"])"), AllOf(HasSubstr("None of the apps that you may see is here: this node shows you web, api alone\n"), Not(HasSubstr("No apps yet"))));
  EXPECT_THAT(text("[]"), HasSubstr("No apps yet"));
}

}  // namespace
}  // namespace berth::cli
