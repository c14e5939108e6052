#include "daemon/route/port_table.h"

#include <cstdlib>

#include <gtest/gtest.h>

#include "daemon/route/nftables.h"
#include "daemon/route/own_network.h"

namespace berth::route {
namespace {

class PortTableTest : public testing::Test {
 protected:
  OwnNetwork network;
  Nftables nftables;
};

const PortTable kTable{.routes = {{80, {20001}}, {8080, {20003, 20002, 20004}}}, .closed = {20001, 20002, 20003, 20004, 20005}, .mark = "0123456789abcdef"};

TEST_F(PortTableTest, IsReadBackFromTheKernelAsItWasWritten) {
  EXPECT_EQ(nftables.read().value(), PortTable());
  for (int times = 0; times < 2; ++times) {
    const auto written = nftables.write(kTable);
    ASSERT_TRUE(written) << written.error().message;
    const auto read = nftables.read();
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(*read, kTable);
  }
  const PortTable smaller{.routes = {{8080, {20002}}}, .closed = {20002}, .mark = kTable.mark};
  ASSERT_TRUE(nftables.write(smaller));
  EXPECT_EQ(nftables.read().value(), smaller);
  ASSERT_TRUE(nftables.write({}));
  EXPECT_EQ(nftables.print().value(), "") << "an empty table goes";
  ASSERT_TRUE(nftables.write({})) << "also one that is not there";
}

TEST_F(PortTableTest, IsPrintedTheSameAsLongAsNobodyChangesIt) {
  ASSERT_TRUE(nftables.write(kTable));
  const auto before = nftables.print();
  ASSERT_TRUE(nftables.write(kTable));
  EXPECT_EQ(nftables.print().value(), before.value());
  ASSERT_TRUE(nftables.write({}));
}

TEST_F(PortTableTest, ComesBackWhateverAnotherProgramMadeOfIt) {
  ASSERT_EQ(std::system("nft 'add table inet berth; add chain inet berth output { type filter hook input priority 5; }'"), 0);
  const auto written = nftables.write(kTable);
  ASSERT_TRUE(written) << written.error().message;
  EXPECT_EQ(nftables.read().value(), kTable);
  ASSERT_TRUE(nftables.write({}));
}

TEST_F(PortTableTest, LeavesForwardedTrafficAndProbesAlone) {
  const std::string commands = to_nft(kTable);
  for (const char* rule : {"prerouting fib daddr type local tcp flags & (fin | syn | rst | ack) == syn jump public\n",
                           "output fib daddr type local tcp flags & (fin | syn | rst | ack) == syn jump public\n",
                           "public ip saddr 127.128.0.0/9 return\n"}) {
    EXPECT_NE(commands.find(rule), std::string::npos) << rule;
  }
  EXPECT_LT(commands.find("ip saddr 127.128.0.0/9 return"), commands.find("redirect to")) << "before anything is redirected";
}

TEST_F(PortTableTest, PassesOverRulesThatAreNotOurs) {
  const auto read = parse_table(R"({"nftables": [{"metainfo": {}}, 7, {"rule": {"chain": "public"}},
    {"rule": {"chain": "public", "expr": [{"drop": null}]}},
    {"rule": {"chain": "other", "expr": [{"match": {"left": {"payload": {"field": "dport"}}, "right": 1}}, {"redirect": {"port": 2}}]}},
    {"rule": {"chain": "public", "expr": [{"match": {"left": {"payload": {"field": "dport"}}, "right": 80}}, {"redirect": {"port": 20001}}]}},
    {"rule": {"chain": "public", "expr": [{"match": {"left": {"payload": {"field": "dport"}}, "right": 70000}}, {"redirect": {"port": 20001}}]}},
    {"set": {"name": "private", "elem": [20001, "x", -1]}}, {"set": {"name": "others", "elem": [5]}}]})");
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(*read, (PortTable{.routes = {{80, {20001}}}, .closed = {20001}}));
  EXPECT_FALSE(parse_table("[]"));
  EXPECT_FALSE(parse_table("{\"nftables\": "));
}

}  // namespace
}  // namespace berth::route
