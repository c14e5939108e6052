#include "daemon/metrics/app_metrics.h"

#include <sstream>
#include <utility>

#include <boost/json/serialize.hpp>
#include <gmock/gmock.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

namespace berth::metrics {
namespace {

using testing::HasSubstr;
using testing::Not;

std::shared_ptr<deploy::AppPage> page(int number, std::string body, std::string error = {}) {
  auto made = std::make_shared<deploy::AppPage>();
  made->target = {.id = {"web", "worker", number, "v2"}, .path = "/metrics", .to = {.address = "127.0.0.1", .port = 20001}};
  made->body = std::move(body);
  made->error = std::move(error);
  made->took = std::chrono::milliseconds(250);
  return made;
}

TEST(AppMetrics, HaveTheInstancesLabelsAndTellHowAskingWent) {
  const std::string text = app_exposition({page(1, "jobs_total{app=\"own\"} 5\nqueue 2\n"), page(2, "<html>"), page(3, "", "connection refused")});
  const auto labels = [](int number) { return "{app=\"web\",process=\"worker\",number=\"" + std::to_string(number) + "\",release=\"v2\"}"; };
  EXPECT_THAT(text, HasSubstr("jobs_total{app=\"web\",process=\"worker\",number=\"1\",release=\"v2\",exported_app=\"own\"} 5\n"));
  EXPECT_THAT(text, Not(HasSubstr("html")));
  for (const int number : {1, 2, 3}) EXPECT_THAT(text, HasSubstr("berth_app_scrape_success" + labels(number) + (number == 1 ? " 1\n" : " 0\n")));
  EXPECT_THAT(text, HasSubstr("berth_app_scrape_samples" + labels(1) + " 2\n"));
  EXPECT_THAT(text, HasSubstr("berth_app_scrape_duration_seconds" + labels(1) + " 0.25\n"));
}

TEST(AppMetrics, WhyAPageIsLeftOutIsInTheLogOnce) {
  std::ostringstream log;
  const auto before = spdlog::default_logger();
  spdlog::set_default_logger(std::make_shared<spdlog::logger>("test", std::make_shared<spdlog::sinks::ostream_sink_mt>(log)));
  const auto said = [&log] {
    const std::string text = log.str();
    log.str("");
    return text;
  };
  LeftOutReport report;
  const auto scrape = [&](const std::string& body) {
    WhyLeftOut left_out;
    app_exposition({page(1, "queue 2\n"), page(2, body)}, &left_out);
    report.note(left_out);
    return said();
  };
  EXPECT_EQ(scrape("<html>"), "");
  EXPECT_THAT(scrape("<html>"), testing::AllOf(HasSubstr("[warning] the own metrics of web/worker.2@v2 are left out: "), Not(HasSubstr("worker.1"))));
  EXPECT_EQ(scrape("<html>"), "");
  EXPECT_THAT(scrape("queue 3\n"), HasSubstr("[info] the own metrics of web/worker.2@v2 are there again"));
  EXPECT_EQ(scrape("queue 3\n") + scrape("<html>") + scrape("queue 3\n"), "");
  spdlog::set_default_logger(before);
}

TEST(AppMetrics, MayNotSayWhatBerthSays) {
  const std::string text = app_exposition({page(1, "berth_app_scrape_success{app=\"other\"} 1\n")});
  EXPECT_THAT(text, HasSubstr("release=\"v2\"} 0\n"));
  EXPECT_THAT(text, Not(HasSubstr("other")));
}

TEST(AppMetrics, AreFoundByPrometheusItself) {
  const deploy::MetricsTarget by_port{.id = {"web", "web", 1, "v2"}, .path = "/stats?format=prometheus&x", .to = {.address = "127.0.0.1", .port = 20001}};
  deploy::MetricsTarget by_socket = by_port;
  by_socket.to.from_address = "127.128.0.1";
  EXPECT_EQ(boost::json::serialize(discovery_json({by_port, by_socket})),
            R"([{"targets":["127.0.0.1:20001"],"labels":{"__metrics_path__":"/stats","app":"web","process":"web","number":"1","release":"v2",)"
            R"("__param_format":"prometheus","__param_x":""}}])");
}

TEST(AppMetrics, AreNotFoundByPrometheusWhereLabelsCannotSayTheQuery) {
  const auto found = [](const char* path) { return discovery_json({{.id = {"web", "web", 1, "v2"}, .path = path, .to = {.address = "127.0.0.1", .port = 20001}}}).size(); };
  for (const char* path : {"/metrics?collect[]=cpu", "/metrics?a=1&a=2", "/metrics?a=b%20c", "/metrics?a=b+c", "/metrics?a%62=c", "/metrics?=c", "/metrics?a-b=c", "/metrics?a.b"})
    EXPECT_EQ(found(path), 0u) << path;
  for (const char* path : {"/metrics", "/metrics?", "/metrics?a=1&b=2", "/metrics?9=x&", "/metrics?a=b=c", "/a%20b"}) EXPECT_EQ(found(path), 1u) << path;
}

}  // namespace
}  // namespace berth::metrics
