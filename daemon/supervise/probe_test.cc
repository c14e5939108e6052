#include "daemon/supervise/probe.h"

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/io/on_loop.h"
#include "core/io/raw_peer.h"

namespace berth::supervise {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

Finding ask_server(spec::Probe probe, std::uint16_t port) {
  InstancePlan plan;
  plan.probe_endpoint = io::Endpoint{.address = "127.0.0.1", .port = port};
  probe.timeout = 20s;
  io::Loop loop;
  return io::on_loop(loop, ask(probe, plan, {}, 0));
}

/// What a probe finds of a server that answers so.
Finding finding(const spec::Probe& probe, std::string answer) {
  const io::RawPeer server(io::RawPeer::answer(std::move(answer)));
  return ask_server(probe, server.port());
}

std::string status(int number) { return fmt::format("HTTP/1.1 {} Told\r\nContent-Length: 0\r\n\r\n", number); }

TEST(HttpProbe, TakesALargePageForWhatItsStatusSays) {
  const std::string page(3u << 20, 'x');
  const std::string head = fmt::format("Told\r\nContent-Length: {}\r\n\r\n", page.size());
  EXPECT_EQ(finding({.path = "/large"}, "HTTP/1.1 200 " + head + page), (Finding{true, "200 from /large"}));
  EXPECT_EQ(finding({.path = "/large"}, "HTTP/1.1 500 " + head + page), (Finding{false, "500 from /large"}));
}

TEST(HttpProbe, TakesAPageWithoutAnEndForWhatItsStatusSays) {
  const io::Silent server("HTTP/1.1 200 OK\r\n\r\n" + std::string(64u << 10, 'x'));
  EXPECT_EQ(ask_server({}, server.port()), (Finding{true, "200 from /"}));
}

TEST(HttpProbe, CountsTheStatusesOfItsRangeAsHealthy) {
  const struct {
    int lowest, highest, status;
    bool healthy;
  } table[] = {{200, 399, 200, true}, {200, 399, 399, true},  {200, 399, 400, false}, {200, 399, 503, false},
               {404, 404, 404, true}, {404, 404, 200, false}, {400, 503, 399, false}, {400, 503, 503, true}};
  for (const auto& row : table) {
    const auto found = finding({.lowest = row.lowest, .highest = row.highest}, status(row.status));
    EXPECT_EQ(found, (Finding{row.healthy, fmt::format("{} from /", row.status)})) << row.lowest << " to " << row.highest;
  }
}

TEST(HttpProbe, SendsItsHeadersAndAsksForItsPath) {
  std::string received;
  {
    const io::RawPeer server([&received](int connection) {
      received = io::read_head(connection);
      io::send_raw(connection, status(204));
    });
    const spec::Probe probe{.path = "/health?deep=1", .headers = {{"Host", "shop.example"}, {"x-probe", "berth one"}}};
    EXPECT_TRUE(ask_server(probe, server.port()).healthy);
  }
  EXPECT_TRUE(received.starts_with("GET /health?deep=1 HTTP/1.1\r\n")) << received;
  EXPECT_THAT(received, HasSubstr("\r\nhost: shop.example\r\n"));
  EXPECT_THAT(received, HasSubstr("\r\nx-probe: berth one\r\n"));
  EXPECT_EQ(received.find("127.0.0.1"), std::string::npos) << "another host: " << received;
}

}  // namespace
}  // namespace berth::supervise
