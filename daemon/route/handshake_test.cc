#include "daemon/route/outside.h"
#include "daemon/route/socket_fixture.h"

namespace berth::route {
namespace {

/// The network loses answers until the end of scope.
class LostAnswers {
 public:
  explicit LostAnswers(const Outside& outside) : enter_(fmt::format("nsenter -n -t {} nft ", outside.pid())) {
    shell(enter_ + "'add table inet lost; add chain inet lost input { type filter hook input priority 0; }; "
                   "add rule inet lost input tcp sport 8080 drop'");
  }
  ~LostAnswers() { shell(enter_ + "delete table inet lost"); }

 private:
  std::string enter_;
};

TEST_F(SocketRouting, WaitsForHandshakesThatBeganBeforeASwitch) {
  const Outside outside;
  ASSERT_OK(claim(port));
  Instance old = start("old");
  ASSERT_OK(serve(port, {old.backend}));
  Instance fresh = start("fresh", 2);
  EXPECT_EQ(connections(port, old.backend, {old.server->pid()}), 0);
  std::string answer;
  std::thread client;
  {
    const LostAnswers lost(outside);
    client = std::thread([&] { answer = outside.asks("10.77.0.1", port.port); });
    const auto began = io::Steady::now();
    int under_way = 0;
    while (under_way == 0 && io::Steady::now() < began + std::chrono::seconds(10)) {
      ASSERT_OK(serve(port, {old.backend}));
      under_way = connections(port, old.backend, {old.server->pid()});
    }
    EXPECT_EQ(under_way, 1) << "its first packet has come";
    ASSERT_OK(serve(port, {fresh.backend}));
    EXPECT_EQ(connections(port, old.backend, {old.server->pid()}), 1);
  }
  stop(old);
  client.join();
  EXPECT_EQ(answer, "old") << "it was waited for";
  EXPECT_EQ(outside.asks("10.77.0.1", port.port), "fresh");
}

}  // namespace
}  // namespace berth::route
